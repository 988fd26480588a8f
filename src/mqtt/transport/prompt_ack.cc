#include "mqtt/transport/prompt_ack.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <utility>

namespace sluice::mqtt {
namespace {

constexpr Duration kPause{3};

}  // namespace

PromptAck::PromptAck(event::Loop& loop) : loop_(loop), timer_(loop, bind<&PromptAck::ask>(this)) {}

void PromptAck::on_read(int fd, Urgency urgency) noexcept {
  if (urgency == Urgency::None) {
    forget();
    return;
  }
  owed_to_ = fd;
  const bool is_now = urgency == Urgency::Now;
  if (!is_now && timer_.is_active()) return;
  // Not here: what the turn sends takes it along.
  timer_.start(is_now || loop_.now() - asked_at_ >= kPause ? Duration{} : kPause);
}

void PromptAck::ask() noexcept {
  if (!is_owed()) return;
  const int on = 1;
  ::setsockopt(std::exchange(owed_to_, -1), IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
  asked_at_ = loop_.now();
}

}  // namespace sluice::mqtt
