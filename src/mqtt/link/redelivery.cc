#include "mqtt/link/redelivery.h"

#include <algorithm>

namespace sluice::mqtt {
namespace {

constexpr std::uint8_t kDeathsToSuspect = 2;
constexpr std::uint8_t kDeathsToCondemn = 2;
constexpr std::size_t kFirstSecond = 1000;
/// After so many seconds the ramp is no limit any more.
constexpr std::int64_t kRampSeconds = 16;

/// How many messages may have been sent again so long after the connection came up.
std::size_t allowance(Duration since) noexcept {
  const std::int64_t seconds = std::chrono::duration_cast<std::chrono::seconds>(since).count();
  const std::int64_t doublings = std::min(seconds, kRampSeconds) + 1;
  return kFirstSecond * ((std::size_t{1} << doublings) - 1);
}

}  // namespace

void Redelivery::begin_loss(InFlight& lost) noexcept {
  newer_ = list_.empty() ? nullptr : &list_.front();
  lost_ = lost.size();
  oldest_ = lost.is_empty() || lost.oldest().is_abandoned() ? nullptr : &lost.oldest();
}

void Redelivery::keep(Delivery& delivery) noexcept {
  if (newer_ != nullptr) {
    list_.insert_before(delivery, *newer_);
  } else {
    list_.push_back(delivery);
  }
  delivery.move_to(State::Resend);
}

void Redelivery::blame(int reason_code) noexcept {
  if (lost_ == 0) {
    forgive();
    return;
  }
  if (oldest_ == nullptr) return;
  oldest_->hang_up_code = reason_code;
  if (one_at_a_time_ && lost_ == 1) {
    ++oldest_->lone_deaths;
  } else if (++oldest_->oldest_deaths >= kDeathsToSuspect) {
    one_at_a_time_ = true;
  }
}

void Redelivery::forgive() noexcept {
  one_at_a_time_ = false;
  for (Delivery* delivery = list_.empty() ? nullptr : &list_.front(); delivery != nullptr;
       delivery = list_.next(*delivery)) {
    delivery->oldest_deaths = 0;
    delivery->lone_deaths = 0;
  }
}

void Redelivery::on_connected(TimePoint now) noexcept {
  connected_at_ = now;
  sent_ = 0;
}

bool Redelivery::may_send(TimePoint now, std::size_t in_flight) const noexcept {
  const Duration since = now - connected_at_;
  if (one_at_a_time_ && (in_flight > 0 || since < kProof)) return false;
  return sent_ < allowance(since);
}

void Redelivery::take(Delivery& delivery) noexcept {
  remove(delivery);
  ++sent_;
}

void Redelivery::remove(Delivery& delivery) noexcept {
  list_.remove(delivery);
}

bool Redelivery::is_poison(const Delivery& delivery) noexcept {
  return delivery.lone_deaths >= kDeathsToCondemn;
}

void Redelivery::on_left(std::size_t in_flight) noexcept {
  if (in_flight == 0 && list_.empty()) one_at_a_time_ = false;
}

}  // namespace sluice::mqtt
