#include "mqtt/link/resend_queue.h"

#include <algorithm>

namespace sluice::mqtt {
namespace {

constexpr std::size_t kFirstSecond = 1000;
/// After this many seconds the ramp is no limit any more.
constexpr std::int64_t kRampSeconds = 16;

/// How many messages may have been sent again so long after the connection came up.
std::size_t allowance(Duration since) noexcept {
  const std::int64_t seconds = std::chrono::duration_cast<std::chrono::seconds>(since).count();
  const std::int64_t doublings = std::min(seconds, kRampSeconds) + 1;
  return kFirstSecond * ((std::size_t{1} << doublings) - 1);
}

}  // namespace

void ResendQueue::begin_loss() noexcept {
  newer_ = list_.empty() ? nullptr : &list_.front();
}

void ResendQueue::add(Delivery& delivery) noexcept {
  if (newer_ != nullptr) {
    list_.insert_before(delivery, *newer_);
  } else {
    list_.push_back(delivery);
  }
  delivery.move_to(State::Resend);
}

void ResendQueue::on_connected(TimePoint now) noexcept {
  connected_at_ = now;
  sent_ = 0;
}

bool ResendQueue::may_send(TimePoint now) const noexcept {
  return sent_ < allowance(now - connected_at_);
}

void ResendQueue::take(Delivery& delivery) noexcept {
  remove(delivery);
  ++sent_;
}

void ResendQueue::remove(Delivery& delivery) noexcept {
  list_.remove(delivery);
}

}  // namespace sluice::mqtt
