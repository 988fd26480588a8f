// Why a connection is over, made of what the calls and callbacks have recorded.
#include <fmt/format.h>
#include <mosquitto.h>

#include <cstring>

#include "mqtt/mosquitto_transport.h"
#include "mqtt/reason_codes.h"

namespace sluice::mqtt {

std::string MosquittoTransport::describe_failure() const {
  if (tls_ != nullptr) {
    if (std::string failure = tls_->take_failure(); !failure.empty()) return "TLS: " + failure;
    if (status_ == MOSQ_ERR_TLS || (handshaking_ && connected_)) return "TLS: " + log_line_;
  }
  switch (status_) {
    case MOSQ_ERR_SUCCESS:
    case MOSQ_ERR_CONN_LOST:
      return "the broker closed the connection";
    case MOSQ_ERR_ERRNO:
      return std::strerror(errno_);
    case MOSQ_ERR_KEEPALIVE:
      return "the broker did not answer a ping in time";
    case MOSQ_ERR_TLS:
      return "TLS: " + log_line_;
    default:
      return mosquitto_strerror(status_);
  }
}

Loss MosquittoTransport::describe_loss() const {
  if (refused_code_ != 0) {
    return {Loss::Kind::Refused, refused_code_, mosquitto_reason_string(refused_code_)};
  }
  if (disconnect_code_ >= reason::kFirstError) {
    return {Loss::Kind::HungUp, disconnect_code_,
            fmt::format("the broker disconnected: {}", mosquitto_reason_string(disconnect_code_))};
  }
  if (closing_) return {Loss::Kind::Closed, 0, "disconnected"};
  if (!connected_) return {Loss::Kind::Unreachable, 0, describe_failure()};
  if (status_ == MOSQ_ERR_KEEPALIVE) return {Loss::Kind::Silent, 0, describe_failure()};
  return {Loss::Kind::HungUp, 0, describe_failure()};
}

}  // namespace sluice::mqtt
