#include "mqtt/link/window.h"

#include <algorithm>
#include <utility>

namespace sluice::mqtt {
namespace {

/// Late by so much is no reason to shrink: acknowledgements that were waited for to come together
/// are late, too, and a queue this short keeps a broker busy that sends them one by one.
constexpr Nanoseconds kLeastTarget = std::chrono::milliseconds(6);
/// Late by no more than this, or by half the base round trip, is prompt.
constexpr Nanoseconds kPrompt = std::chrono::milliseconds(1);
/// What a round has to be at least before its lateness counts: so many messages, over so long.
constexpr unsigned kRoundSamples = 4;
constexpr int kRoundTrips = 4;
constexpr Nanoseconds kShortestRound = std::chrono::milliseconds(20);
/// As windows are sized, a queue they have made is gone earlier. Whatever is late by then is so for
/// another reason.
constexpr Nanoseconds kShortestDrain = std::chrono::milliseconds(100);
constexpr int kDrainTrips = 4;  // of the base round trip, if that is more
/// Then its acknowledgement counts as lost, and another message is timed.
constexpr Nanoseconds kLongestProbe = std::chrono::seconds(5);
/// Up to here a window costs no processor time; more is of use only to a broker that is farther
/// away than this.
constexpr std::size_t kFree = 128;
constexpr Nanoseconds kNear = std::chrono::microseconds(500);

/// For a size that is larger by some part, more by this part of that has to be acknowledged in a
/// second: 15 % with twice the size. Measured over so many round trips, the first of which still
/// shows the former size, and over so long at least.
constexpr double kWorthIt = 0.15;
constexpr int kTrialTrips = 5;
constexpr Nanoseconds kShortestTrial = std::chrono::milliseconds(200);
/// Until a larger size is tried again that brought nothing; until a smaller one is tried after a
/// larger one that did, as it may have been chance; until it is tried once more.
constexpr Nanoseconds kLargerPause = std::chrono::seconds(2);
constexpr Nanoseconds kConfirmPause = std::chrono::seconds(1);
constexpr Nanoseconds kSmallerPause = std::chrono::seconds(10);

std::size_t useful_at(Nanoseconds base) noexcept {
  if (base <= kNear) return kFree;
  const auto farther = static_cast<std::size_t>(std::min<std::int64_t>(base / kNear, 1000));
  return std::min(kFree * farther, SharedSize::kMost);
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

bool SharedSize::is_near() const noexcept {
  return base_.value() <= kNear;
}

void SharedSize::add(Nanoseconds sent, Nanoseconds round_trip, bool in_use,
                     Nanoseconds now) noexcept {
  base_.add(round_trip, now);
  if (sent < round_began_) return;
  shortest_ = std::min(shortest_, round_trip);
  ++samples_;
  const Nanoseconds base = base_.value();
  if (in_use && round_trip - base <= std::max(kPrompt, base / 2)) {
    wants_larger_ = true;
    const std::size_t larger = std::min(size_ * 2, useful_at(base));
    if (larger < size_ || (larger <= kFree && larger > size_)) {
      former_rate_ = 0;
      begin_round(larger, now);
      measure_anew(now);
      return;
    }
    begin_round(size_, now);
  }
  if (!try_sizes(now)) shrink_if_late(now);
}

void SharedSize::shrink_if_late(Nanoseconds now) noexcept {
  const Nanoseconds base = base_.value();
  const Nanoseconds target = std::max(kLeastTarget, base);
  const Nanoseconds length = std::max(kShortestRound, base * kRoundTrips);
  if (samples_ < kRoundSamples || now - round_began_ < length) return;
  if (shortest_ - base <= target) {
    begin_round(size_, now);
    return;
  }
  const double ratio =
      static_cast<double>((base + target).count()) / static_cast<double>(shortest_.count());
  const auto smaller = static_cast<std::size_t>(static_cast<double>(size_) * std::max(ratio, 0.5));
  former_rate_ = 0;
  begin_round(std::max(smaller, kLeast), now);
  measure_anew(now);
}

void SharedSize::add_while_drained(Nanoseconds round_trip, Nanoseconds now) noexcept {
  base_.add(round_trip, now);
  begin_round(size_, now);
  measure_anew(now);
}

bool SharedSize::try_sizes(Nanoseconds now) noexcept {
  const Nanoseconds length = now - measured_from_;
  const Nanoseconds wanted = std::max(kShortestTrial, base() * kTrialTrips);
  if (length < wanted) return false;
  if (length > wanted * 2) {  // nothing was to be sent for a while: that says nothing
    const bool is_on_trial = std::exchange(former_rate_, 0) > 0;
    if (is_on_trial) begin_round(former_size_, now);
    measure_anew(now);
    return is_on_trial;
  }
  const double rate = static_cast<double>(acknowledged_) / static_cast<double>(length.count());
  const bool has_changed = former_rate_ > 0 ? end_trial(rate, now) : begin_trial(rate, now);
  measure_anew(now);
  return has_changed;
}

bool SharedSize::end_trial(double rate, Nanoseconds now) noexcept {
  const bool is_larger = size_ > former_size_;
  const double with_larger = is_larger ? rate : former_rate_;
  const double with_smaller = is_larger ? former_rate_ : rate;
  const auto [smaller, larger] = std::minmax(size_, former_size_);
  const double step = static_cast<double>(larger) / static_cast<double>(smaller) - 1;
  const bool keeps = is_larger == (with_larger >= with_smaller * (1 + kWorthIt * step));
  former_rate_ = 0;
  // A larger one that brings nothing is tried again and again: that must not put off a smaller one.
  if (!is_larger) try_smaller_at_ = now + kSmallerPause;
  if (is_larger && keeps) try_smaller_at_ = now + kConfirmPause;
  try_larger_at_ = now + (is_larger && keeps ? Nanoseconds{} : kLargerPause);
  if (!keeps) begin_round(former_size_, now);
  return !keeps;
}

bool SharedSize::begin_trial(double rate, Nanoseconds now) noexcept {
  const std::size_t larger = std::min(size_ * 2, useful_at(base()));
  const bool is_worth_a_trial = larger > kFree && larger >= size_ + size_ / 4;
  const bool tries_larger = wants_larger_ && is_worth_a_trial && now >= try_larger_at_;
  const bool tries_smaller = size_ > kFree && now >= try_smaller_at_;
  if (!tries_larger && !tries_smaller) return false;
  former_rate_ = rate;
  former_size_ = size_;
  begin_round(tries_larger ? larger : size_ / 2, now);
  return true;
}

void SharedSize::measure_anew(Nanoseconds now) noexcept {
  acknowledged_ = 0;
  measured_from_ = now;
  wants_larger_ = false;
}

void SharedSize::begin_round(std::size_t size, Nanoseconds now) noexcept {
  size_ = size;
  // What is sent at once finds the queue that the former size has made, or none if the windows were
  // closed down.
  round_began_ = now + std::min(base(), kLongestProbe);
  shortest_ = Nanoseconds::max();
  samples_ = 0;
}

Window::Window(std::optional<unsigned> fixed, SharedSize& shared) noexcept
    : shared_(shared),
      is_automatic_(!fixed),
      most_allowed_(fixed.value_or(kMost)),
      most_(most_allowed_) {}

void Window::set(std::optional<unsigned> fixed) noexcept {
  if (!fixed && is_automatic_) return;
  is_automatic_ = !fixed;
  most_allowed_ = fixed.value_or(kMost);
  open(broker_takes_);
}

void Window::open(std::size_t broker_takes) noexcept {
  broker_takes_ = std::max<std::size_t>(broker_takes, 1);
  most_ = std::min(most_allowed_, broker_takes_);
  probe_ = 0;
  probe_was_full_ = false;
  draining_ = false;
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
  if (draining_) {
    shared_.add_while_drained(sample, now);
    if (probe_was_drained_ || has_drained_long(now)) draining_ = false;
    return;
  }
  shared_.add(probe_sent_, sample, probe_was_full_ && most_ > shared_.value(), now);
}

bool Window::has_drained_long(Nanoseconds now) const noexcept {
  const Nanoseconds base = std::min(shared_.base(), kLongestProbe);  // there may be no sample yet
  return now - drain_began_ > std::max(kShortestDrain, base * kDrainTrips);
}

void Window::tick(Nanoseconds now) noexcept {
  if (draining_ && has_drained_long(now)) draining_ = false;
  if (probe_ != 0 && now - probe_sent_ > kLongestProbe) probe_ = 0;
}

}  // namespace sluice::mqtt
