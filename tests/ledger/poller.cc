// A thin skin over epoll, level-triggered.
#include "poller.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <stdexcept>

namespace sluice::ledger_run {
namespace {

void control(int epoll_fd, int what, int fd, Pollable* by, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = by;
  if (epoll_ctl(epoll_fd, what, fd, &event) != 0) throw std::runtime_error("epoll_ctl failed");
}

constexpr Nanoseconds kNoticed = 3 * kMillisecond;
constexpr Nanoseconds kRemembered = 15 * kSecond;

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
  missed_ = 0;
  note_delay(woke_at_, before);
  note_delay(before + timeout_ms * kMillisecond, after);
  while (!stalls_.empty() && stalls_.front().second < after - kRemembered)
    stalls_.pop_front();
  woke_at_ = after;
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    static_cast<Pollable*>(event.data.ptr)->on_events(event.events);
  }
}

void Poller::note_delay(Nanoseconds begin, Nanoseconds end) {
  if (end <= begin) return;
  worst_stall_ = std::max(worst_stall_, end - begin);
  if (end - begin < kNoticed) {
    missed_ += end - begin;
  } else {
    stalls_.emplace_back(begin, end);
  }
}

Nanoseconds Poller::own_part(Nanoseconds since, Nanoseconds now) const {
  Nanoseconds sum = missed_ + (now - woke_at_);
  for (auto stall = stalls_.rbegin(); stall != stalls_.rend() && stall->second > since; ++stall)
    sum += stall->second - std::max(stall->first, since);
  return sum;
}

}  // namespace sluice::ledger_run
