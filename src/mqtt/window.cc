#include "mqtt/window.h"

#include <algorithm>

namespace sluice::mqtt {
namespace {

constexpr std::size_t kStart = 64;
/// Late by so much is no reason to shrink.
constexpr Nanoseconds kTarget = std::chrono::milliseconds(2);
constexpr int kTargetPart = 4;  // of the base round trip, if that is more
constexpr Nanoseconds kLongestDrain = std::chrono::seconds(2);
/// Then its acknowledgement counts as lost, and another message is timed.
constexpr Nanoseconds kLongestProbe = std::chrono::seconds(5);
/// Up to here a window costs no processor time; more is of use only to a broker that is farther
/// away than this.
constexpr std::size_t kFree = 128;
constexpr Nanoseconds kNear = std::chrono::microseconds(500);

std::size_t useful_at(Nanoseconds base) noexcept {
  if (base <= kNear) return kFree;
  const auto farther = static_cast<std::size_t>(std::min<std::int64_t>(base / kNear, 1000));
  return std::min(kFree * farther, Window::kMost);
}

}  // namespace

void BaseRoundTrip::add(Nanoseconds sample, Nanoseconds now) noexcept {
  const std::int64_t epoch = epoch_of(now);
  if (epoch != epoch_) {
    former_ = epoch == epoch_ + 1 ? latest_ : Nanoseconds::max();
    latest_ = Nanoseconds::max();
    epoch_ = epoch;
  }
  latest_ = std::min(latest_, sample);
}

Nanoseconds BaseRoundTrip::value() const noexcept {
  return std::min(former_, latest_);
}

Window::Window(std::optional<unsigned> fixed, BaseRoundTrip& base) noexcept
    : base_(base),
      is_automatic_(!fixed),
      size_(fixed ? *fixed : kStart),
      most_(fixed ? *fixed : kMost) {}

void Window::open(std::size_t broker_takes) noexcept {
  most_ = std::min(is_automatic_ ? kMost : size_, std::max<std::size_t>(broker_takes, 1));
  probe_ = 0;
  probe_was_full_ = false;
  draining_ = false;
}

std::size_t Window::size() const noexcept {
  return std::min(draining_ ? kLeast : size_, most_);
}

std::size_t Window::usual() const noexcept {
  return std::min(size_, most_);
}

void Window::start_probe(std::uint64_t sequence, std::size_t in_flight, Nanoseconds now) noexcept {
  const std::int64_t epoch = BaseRoundTrip::epoch_of(now);
  if (epoch != epoch_ && probe_was_full_) {
    draining_ = true;
    drain_began_ = now;
  }
  epoch_ = epoch;
  probe_ = sequence;
  probe_sent_ = now;
  probe_was_full_ = in_flight * 4 >= size() * 3;
  probe_was_drained_ = in_flight <= kLeast;
}

void Window::end_probe(int round_trips, Nanoseconds now) noexcept {
  const Nanoseconds sample = (now - probe_sent_) / round_trips;
  probe_ = 0;
  base_.add(sample, now);
  if (draining_) {
    if (probe_was_drained_) draining_ = false;
    return;
  }
  adapt(sample);
}

void Window::tick(Nanoseconds now) noexcept {
  if (draining_ && now - drain_began_ > kLongestDrain) draining_ = false;
  if (probe_ != 0 && now - probe_sent_ > kLongestProbe) probe_ = 0;
}

void Window::adapt(Nanoseconds sample) noexcept {
  const Nanoseconds base = base_.value();
  const Nanoseconds target = std::max(kTarget, base / kTargetPart);
  const Nanoseconds late = sample - base;
  if (late > target) {
    const double ratio = static_cast<double>((base + target).count()) /
                         static_cast<double>(std::max<std::int64_t>(sample.count(), 1));
    const double smaller = static_cast<double>(size_) * std::max(ratio, 0.5);
    size_ = std::max(static_cast<std::size_t>(smaller), kLeast);
  } else if (late <= target / 2 && probe_was_full_) {
    size_ = std::min(size_ + size_ / 2, std::max(useful_at(base), kLeast));
  }
}

}  // namespace sluice::mqtt
