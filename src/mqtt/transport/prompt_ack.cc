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

void PromptAck::on_read(int fd) noexcept {
  owed_to_ = fd;
  if (timer_.is_active()) return;
  // Not here: where a full window opens, the turn sends something that takes it along.
  timer_.start(loop_.now() - asked_at_ >= kPause ? Duration{} : kPause);
}

void PromptAck::ask() noexcept {
  if (!is_owed()) return;
  const int on = 1;
  ::setsockopt(std::exchange(owed_to_, -1), IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
  asked_at_ = loop_.now();
}

}  // namespace sluice::mqtt
