// Runs the loop of the load generator and decides which connection sends what, and when.
#include "load.h"

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace sluice::bench {
namespace {

constexpr int kLongestWaitMs = 5;  // the phases of the measurement turn that exactly

}  // namespace

Load::Load(const Options& options, Measurement& measurement)
    : options_(options), measurement_(measurement), epoll_fd_(epoll_create1(EPOLL_CLOEXEC)) {
  if (epoll_fd_ < 0) fail("epoll_create1 failed");
  prepare_requests();
  for (unsigned i = 0; i < options.connections; ++i) {
    connections_.push_back(std::make_unique<Connection>(options, measurement, i));
    next_device_.push_back(i);
  }
  if (options.rate <= 0) return;
  timer_fd_ = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = nullptr;
  if (epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, timer_fd_, &event) != 0) fail("epoll_ctl failed");
}

Load::~Load() {
  ::close(epoll_fd_);
  if (timer_fd_ >= 0) ::close(timer_fd_);
}

void Load::prepare_requests() {
  for (unsigned i = 0; i < options_.devices; ++i) {
    const unsigned device = options_.first_device + i;
    heads_.push_back("{\"device_id\":" + std::to_string(device) + ",\"mqtt_topic\":\"" +
                     topic_of(device) + "\",\"message\":\"");
  }
  tail_ = make_payload(options_) + "\",\"qos\":" + std::to_string(options_.qos);
}

void Load::run() {
  for (auto& connection : connections_)
    connection->open(epoll_fd_);
  measurement_.begin();
  for (std::size_t i = 0; options_.rate <= 0 && i < connections_.size(); ++i)
    fill(i, now_ns());
  while (!measurement_.is_over() && any_open())
    turn();
  if (!measurement_.is_over()) measurement_.abandon(now_ns());  // every connection is lost
}

void Load::turn() {
  if (timer_fd_ >= 0) arm_timer();
  // Known apart from the timer, so that one that was not set shows in the report.
  const bool is_late = timer_fd_ >= 0 && may_send_at(now_ns());
  std::array<epoll_event, 256> events;
  const int count =
      epoll_wait(epoll_fd_, events.data(), static_cast<int>(events.size()), kLongestWaitMs);
  if (count < 0 && errno != EINTR) fail("epoll_wait failed");
  const std::int64_t now = now_ns();
  measurement_.on_wake_up(is_late && count == 0);
  measurement_.tick(now);
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    auto* connection = static_cast<Connection*>(event.data.ptr);
    if (connection == nullptr || !connection->is_open()) continue;
    if ((event.events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0) {
      connection->read_replies(now);
    }
    if ((event.events & EPOLLOUT) != 0) connection->flush();
    if (timer_fd_ < 0) fill(connection->index(), now);
  }
  if (timer_fd_ >= 0) send_due(now);
}

void Load::fill(std::size_t index, std::int64_t now) {
  Connection& connection = *connections_[index];
  if (!connection.has_room() || !measurement_.may_send()) return;
  while (connection.has_room() && measurement_.may_send()) {
    send_next(index, now);
  }
  connection.flush();
}

void Load::send_due(std::int64_t now) {
  std::size_t without_room = 0;
  while (measurement_.may_send() && measurement_.next_due() <= now &&
         without_room < connections_.size()) {
    const std::size_t index = next_connection_;
    next_connection_ = (next_connection_ + 1) % connections_.size();
    if (!connections_[index]->has_room()) {
      ++without_room;
      continue;
    }
    without_room = 0;
    if (!connections_[index]->has_output()) filled_.push_back(index);
    send_next(index, measurement_.next_due());
  }
  out_of_room_ = without_room == connections_.size();
  for (const std::size_t index : filled_)
    connections_[index]->flush();
  filled_.clear();
}

bool Load::may_send_at(std::int64_t now) const {
  return measurement_.may_send() && !out_of_room_ && measurement_.next_due() <= now;
}

void Load::arm_timer() {
  itimerspec when{};  // not set while replies have to come first
  if (measurement_.may_send() && !out_of_room_) {
    const std::int64_t due = measurement_.next_due();  // in the past: wakes the loop at once
    when.it_value.tv_sec = due / 1'000'000'000;
    when.it_value.tv_nsec = due % 1'000'000'000;
  }
  timerfd_settime(timer_fd_, TFD_TIMER_ABSTIME, &when, nullptr);
}

void Load::send_next(std::size_t index, std::int64_t since) {
  // Each connection walks over devices of its own as long as there are enough for all.
  std::size_t& device = next_device_[index];
  connections_[index]->send(heads_[device % heads_.size()], tail_, since);
  device += connections_.size();
}

bool Load::any_open() const {
  for (const auto& connection : connections_) {
    if (connection->is_open()) return true;
  }
  return false;
}

}  // namespace sluice::bench
