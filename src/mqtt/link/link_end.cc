// How a link's connection comes to an end that sluice wants: it leaks, its settings have changed,
// it is not needed any more, or all stops.
#include <algorithm>
#include <utility>

#include "base/log.h"
#include "mqtt/link/link.h"

namespace sluice::mqtt {
namespace {

/// So long a DISCONNECT may take to be sent, and the broker to close.
constexpr Duration kGoodbye = std::chrono::seconds(1);

}  // namespace

void Link::renew() noexcept {
  switch (state_) {
    case LinkState::Idle:
      break;
    case LinkState::Connecting:
      lose({Loss::Kind::Closed, 0, "the configuration has changed"});
      break;
    case LinkState::Backoff:
      backoff_.reset();
      if (!timer_.is_active()) break;  // its turn comes anyway
      timer_.stop();
      events_.on_link_wants_connection(*this);
      break;
    case LinkState::Ready:
    case LinkState::Draining:
      renewing_ = true;
      judge_.schedule();
      break;
  }
}

void Link::leave() noexcept {
  leaving_ = true;
  judge_.schedule();
}

bool Link::stay() noexcept {
  if (!std::exchange(leaving_, false)) return false;
  // One that has begun to drain goes on to its end, and has a successor then.
  renewing_ = renewing_ || state_ == LinkState::Draining;
  // Nothing else would bring it back.
  return state_ == LinkState::Idle || (state_ == LinkState::Backoff && !timer_.is_active());
}

void Link::judge() noexcept {
  if (stopping_) return;
  if (renewing_ || leaving_) wind_up();
  replace_if_leaking();
}

void Link::wind_up() noexcept {
  const bool is_down = state_ == LinkState::Connecting || state_ == LinkState::Backoff;
  if (leaving_ && is_down && is_clean()) {
    abandon();
    return;
  }
  // What is to be sent again goes first, on this connection: the next one may have another
  // identifier, or none may follow.
  if (state_ == LinkState::Ready && redelivery_.is_empty()) {
    enter(LinkState::Draining);
    events_.on_link_draining(*this);
  }
  if (state_ == LinkState::Draining && is_clean()) say_goodbye();
}

void Link::say_goodbye() noexcept {
  if (std::exchange(said_goodbye_, true)) return;
  goodbye_ends_ = loop_.now() + kGoodbye;
  flush_.cancel();
  transport_->disconnect();
}

/// A lost acknowledgement costs a place in the window for as long as the connection lives. Once
/// they are too many, the connection is replaced: first what can still be acknowledged there is.
void Link::replace_if_leaking() noexcept {
  const bool stands = state_ == LinkState::Ready || state_ == LinkState::Draining;
  if (!stands || stopping_) return;
  const std::size_t places = redelivery_.is_one_at_a_time() ? 1 : window_.usual();
  const std::size_t abandoned = in_flight_.abandoned();
  if (state_ == LinkState::Ready && abandoned < places) {
    const std::size_t many = std::max<std::size_t>(places / 4, 1);
    if (abandoned < many || in_flight_.overtaken() < many) return;
    enter(LinkState::Draining);
    events_.on_link_draining(*this);
  }
  if (abandoned < in_flight_.size() || said_goodbye_) return;
  lose({Loss::Kind::Leaking, 0, "acknowledgements have not come in time; replacing it"});
}

void Link::disconnect() noexcept {
  if (state_ != LinkState::Ready || !in_flight_.is_empty()) {
    abandon();
    return;
  }
  stopping_ = true;
  enter(LinkState::Draining);
  say_goodbye();
}

void Link::abandon() noexcept {
  stopping_ = true;
  if (state_ == LinkState::Idle) return;
  lose({Loss::Kind::Closed, 0, "closed"});
}

}  // namespace sluice::mqtt
