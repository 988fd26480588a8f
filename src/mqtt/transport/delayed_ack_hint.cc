#include "mqtt/transport/delayed_ack_hint.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <utility>

namespace sluice::mqtt {
namespace {

/// Between two hints, unless one is urgent.
constexpr Duration kPause{3};

}  // namespace

DelayedAckHint::DelayedAckHint(event::Loop& loop)
    : loop_(loop), timer_(loop, bind<&DelayedAckHint::set_quickack>(this)) {}

void DelayedAckHint::on_read(int fd, Urgency urgency) noexcept {
  if (urgency == Urgency::None) {
    forget();
    return;
  }
  pending_fd_ = fd;
  const bool is_now = urgency == Urgency::Now;
  if (!is_now && timer_.is_active()) return;
  // Not at once: data that this turn sends carries the ACK.
  timer_.start(is_now || loop_.now() - set_at_ >= kPause ? Duration{} : kPause);
}

void DelayedAckHint::set_quickack() noexcept {
  if (!is_pending()) return;
  const int on = 1;
  ::setsockopt(std::exchange(pending_fd_, -1), IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
  set_at_ = loop_.now();
}

}  // namespace sluice::mqtt
