// The end of a connection: why, made of what the calls and callbacks have recorded, and how.
#include <fmt/format.h>
#include <mosquitto.h>
#include <sys/socket.h>

#include <cstring>
#include <utility>

#include "mqtt/reason_codes.h"
#include "mqtt/transport/mosquitto_transport.h"

namespace sluice::mqtt {

std::string MosquittoTransport::describe_failure() const {
  if (tls_ != nullptr) {
    if (std::string failure = tls_->take_failure(); !failure.empty()) return failure;
  }
  switch (status_) {
    case MOSQ_ERR_SUCCESS:
    case MOSQ_ERR_CONN_LOST:
      return "the broker closed the connection";
    case MOSQ_ERR_ERRNO:
      return std::strerror(errno_);
    case MOSQ_ERR_KEEPALIVE:
      return "the broker did not answer a ping in time";
    default:
      return mosquitto_strerror(status_);
  }
}

Loss MosquittoTransport::describe_loss() const {
  // In any case, so that what TLS failed at is not held against another connection later.
  std::string failure = describe_failure();
  if (refused_code_ != 0) {
    return {Loss::Kind::Refused, refused_code_, mosquitto_reason_string(refused_code_)};
  }
  if (disconnect_code_ >= reason::kFirstError) {
    return {Loss::Kind::HungUp, disconnect_code_,
            fmt::format("the broker disconnected: {}", mosquitto_reason_string(disconnect_code_))};
  }
  if (closing_) return {Loss::Kind::Closed, 0, "disconnected"};
  if (!connected_) return {Loss::Kind::Unreachable, 0, std::move(failure)};
  if (status_ == MOSQ_ERR_KEEPALIVE) return {Loss::Kind::Silent, 0, std::move(failure)};
  return {Loss::Kind::HungUp, 0, std::move(failure)};
}

void MosquittoTransport::drop(bool reset) noexcept {
  stop_watching();
  prompt_ack_.forget();
  coalescing_.forget();
  parting_.drop();
  if (handle_ == nullptr) return;
  const int fd = mosquitto_socket(handle_);
  if (reset && fd >= 0) {
    const linger now{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
  }
  mosquitto_destroy(std::exchange(handle_, nullptr));
  batch_.discard();
  acks_.clear();
  written_.clear();
  has_room_to_report_ = false;
  loss_.reset();
}

}  // namespace sluice::mqtt
