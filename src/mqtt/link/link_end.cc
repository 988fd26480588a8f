// How sluice closes a link's connection: it leaks, its settings have changed, its slot was removed,
// or sluice shuts down.
#include <algorithm>
#include <utility>

#include "mqtt/link/link.h"

namespace sluice::mqtt {
namespace {

/// For sending DISCONNECT and the broker's close.
constexpr Duration kDisconnectTimeout = std::chrono::seconds(1);

/// A broker that acknowledged within this time is slow, not silent.
constexpr Duration kStalled = std::chrono::seconds(2);

}  // namespace

void Link::replace() noexcept {
  switch (state_) {
    case LinkState::Connecting:
      lose({Loss::Kind::Closed, 0, "the configuration has changed"});
      break;
    case LinkState::Backoff:
      backoff_.reset();
      if (is_backing_off()) skip_delay();  // otherwise it is with the ConnectScheduler
      break;
    case LinkState::Ready:
      stop_accepting(LinkState::Replacing);
      break;
    case LinkState::Idle:
    case LinkState::Leaking:
    case LinkState::Replacing:
    case LinkState::Retiring:
    case LinkState::Stopping:
      break;
  }
}

void Link::retire() noexcept {
  const bool may_retire =
      is_connected() && state_ != LinkState::Retiring && state_ != LinkState::Stopping;
  if (may_retire) stop_accepting(LinkState::Retiring);
}

void Link::keep() noexcept {
  if (state_ != LinkState::Retiring) {
    // No timer and no event would reconnect it.
    const bool is_left = state_ == LinkState::Backoff && !timer_.is_active();
    if (state_ == LinkState::Idle || is_left) news_.wants_connection = true;
    return;
  }
  // After DISCONNECT, or under a former identifier, it can only be replaced.
  const bool goes_on = has_sent_disconnect() || client_id_ != next_client_id_;
  enter(goes_on ? LinkState::Replacing : LinkState::Ready);
  news_.has_room = true;
}

void Link::stop_accepting(LinkState next) noexcept {
  enter(next);
  news_.stopped_accepting = true;
  check_replacement_soon();
}

void Link::check_replacement() noexcept {
  const bool is_draining = state_ == LinkState::Replacing || state_ == LinkState::Retiring;
  // Resends go out on this connection first: the next one may have another client identifier, or
  // none may follow.
  if (is_draining && is_clean()) {
    send_disconnect();
  } else if (is_connected() && state_ != LinkState::Stopping && !has_sent_disconnect()) {
    replace_if_leaking();
  }
}

void Link::send_disconnect() noexcept {
  if (has_sent_disconnect()) return;
  disconnect_deadline_ = loop_.now() + kDisconnectTimeout;
  flushes_ = false;
  transport_->disconnect();
}

/// A quarter of the window is known to be lost, or all of it is held by abandoned deliveries and
/// nothing is acknowledged. A slow broker is not replaced: it would have to do its work twice.
bool Link::is_leaking() noexcept {
  const std::size_t places = poison_.is_one_at_a_time() ? 1 : window_.usual();
  const std::size_t abandoned = in_flight_.abandoned();
  const std::size_t many = std::max<std::size_t>(places / 4, 1);
  const bool is_stalled = loop_.now() - in_flight_.last_progress() >= kStalled;
  if (abandoned >= places && (is_stalled || poison_.is_one_at_a_time())) return true;
  return abandoned >= many && in_flight_.skipped_by_later_acks() >= many;
}

/// A lost acknowledgement costs a window slot for as long as the connection lives. Once they are
/// too many, the connection is replaced, after the acknowledgements that can still come.
void Link::replace_if_leaking() noexcept {
  if (state_ == LinkState::Ready) {
    if (!is_leaking()) return;
    stop_accepting(LinkState::Leaking);
  }
  const bool sends_on = state_ != LinkState::Leaking && !resend_queue_.is_empty();
  if (in_flight_.abandoned() < in_flight_.size() || (sends_on && !is_leaking())) return;
  lose({Loss::Kind::Leaking, 0, "acknowledgements are missing; replacing the connection"});
}

void Link::disconnect() noexcept {
  const bool is_graceful = is_connected() && state_ != LinkState::Stopping && in_flight_.is_empty();
  if (!is_graceful) {
    close_now();
    return;
  }
  enter(LinkState::Stopping);
  send_disconnect();
}

void Link::close_now() noexcept {
  if (state_ == LinkState::Idle) return;
  lose({Loss::Kind::Closed, 0, "closed"}, /*for_good=*/true);
}

}  // namespace sluice::mqtt
