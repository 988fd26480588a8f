// A thin skin over epoll, level-triggered.
#include "poller.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <stdexcept>

namespace sluice::ledger {
namespace {

void control(int epoll_fd, int what, int fd, Pollable* by, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = by;
  if (epoll_ctl(epoll_fd, what, fd, &event) != 0) throw std::runtime_error("epoll_ctl failed");
}

}  // namespace

Poller::Poller() : epoll_fd_(epoll_create1(EPOLL_CLOEXEC)), woke_at_(now_ns()) {
  if (epoll_fd_ < 0) throw std::runtime_error("epoll_create1 failed");
}

Poller::~Poller() {
  ::close(epoll_fd_);
}

void Poller::watch(int fd, Pollable& by, std::uint32_t events) {
  control(epoll_fd_, EPOLL_CTL_ADD, fd, &by, events);
}

void Poller::change(int fd, Pollable& by, std::uint32_t events) {
  control(epoll_fd_, EPOLL_CTL_MOD, fd, &by, events);
}

void Poller::forget(int fd) {
  epoll_event event{};
  epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd, &event);
}

void Poller::turn(int timeout_ms) {
  std::array<epoll_event, 512> events;
  const Nanoseconds before = now_ns();
  const int count =
      epoll_wait(epoll_fd_, events.data(), static_cast<int>(events.size()), timeout_ms);
  const Nanoseconds after = now_ns();
  if (count < 0 && errno != EINTR) throw std::runtime_error("epoll_wait failed");
  const Nanoseconds overslept = after - before - timeout_ms * kMillisecond;
  missed_ = (before - woke_at_) + std::max<Nanoseconds>(overslept, 0);
  worst_stall_ = std::max(worst_stall_, missed_);
  woke_at_ = after;
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    static_cast<Pollable*>(event.data.ptr)->on_events(event.events);
  }
}

}  // namespace sluice::ledger
