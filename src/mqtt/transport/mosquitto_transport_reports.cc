// What a call into the library has left behind, and when the caller of the transport hears of it.
#include <mosquitto.h>

#include <utility>

#include "mqtt/transport/mosquitto_transport.h"

namespace sluice::mqtt {

/// After each call into the library: the socket may be gone, or have other things to wait for.
void MosquittoTransport::settle() noexcept {
  if (handle_ == nullptr || is_over_) return;
  take_written();
  if (lost_ || mosquitto_socket(handle_) < 0 || status_ != MOSQ_ERR_SUCCESS) {
    end();
    return;
  }
  arm();
  const bool was_congested =
      std::exchange(congested_, !handshaking_ && unflushed_ == 0 && has_more_to_write());
  if (was_congested != congested_) has_room_to_report_ = was_congested;
}

/// The connection is over, or will be as soon as the broker has closed it.
void MosquittoTransport::end() noexcept {
  is_over_ = true;
  stop_watching();  // at once: the number may belong to a new connection in a moment
  prompt_ack_.forget();
  coalescing_.forget();
  has_room_to_report_ = false;
  // In any case, so that what TLS failed at is not held against another connection later.
  Loss loss = describe_loss();
  if (!waits_for_close()) loss_ = std::move(loss);
}

void MosquittoTransport::on_parted() noexcept {
  loss_ = describe_loss();
  report();
}

void MosquittoTransport::arm() noexcept {
  if (handshaking_) {
    const event::TlsState state = event::tls_state(mosquitto_ssl_get(handle_));
    watcher_->watch({.readable = true, .writable = state.wants_write});
    return;
  }
  // What was handed over in this turn leaves with flush(), at its end.
  const bool waits_for_room = unflushed_ == 0 && has_more_to_write();
  watcher_->watch({.readable = true, .writable = waits_for_room});
}

bool MosquittoTransport::has_more_to_write() const noexcept {
  return batch_.has_unsent() || mosquitto_want_write(handle_);
}

/// QoS 0 is done as soon as the socket has taken its last byte: it may arrive, so it must not be
/// sent again. Without its last byte it cannot arrive.
void MosquittoTransport::take_written() noexcept {
  auto next = written_.begin();
  for (; next != written_.end() && next->end <= batch_.taken(); ++next)
    acks_.push_back(next->ack);
  written_.erase(written_.begin(), next);
}

/// At the end of a call by the link, which must not be called back from within it.
void MosquittoTransport::settle_and_report_later() noexcept {
  settle();
  if (!acks_.empty() || has_room_to_report_ || loss_) report_.schedule();
}

/// In the order that TransportEvents promises. Any of these may drop the connection, which leaves
/// nothing to report.
void MosquittoTransport::report() noexcept {
  report_.cancel();
  if (connected_ && !is_over_ && !std::exchange(connected_reported_, true))
    events_.on_connected(connack_);
  report_acks();
  if (std::exchange(has_room_to_report_, false)) events_.on_writable();
  if (!loss_) return;
  report_acks();  // of QoS 0, if the end was found in sending it from within a report
  if (const std::optional<Loss> loss = std::exchange(loss_, std::nullopt)) events_.on_lost(*loss);
}

void MosquittoTransport::report_acks() noexcept {
  reporting_.swap(acks_);
  for (const Ack& ack : reporting_) {
    if (handle_ == nullptr) break;
    events_.on_acknowledged(ack.packet_id, ack.reason_code);
  }
  reporting_.clear();
}

}  // namespace sluice::mqtt
