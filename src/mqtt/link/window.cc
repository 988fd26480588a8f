#include "mqtt/link/window.h"

#include <algorithm>
#include <utility>

namespace sluice::mqtt {
namespace {

/// Acknowledgements that are read several at a time are late, too, and a queue this short keeps a
/// broker busy that sends them one by one.
constexpr Nanoseconds kLeastTarget = std::chrono::milliseconds(6);
/// At most this late, or half the base round trip, is prompt.
constexpr Nanoseconds kPrompt = std::chrono::milliseconds(1);
/// A round counts from this many samples, and this long, on.
constexpr unsigned kRoundSamples = 4;
constexpr int kRoundTrips = 4;
constexpr Nanoseconds kShortestRound = std::chrono::milliseconds(20);
/// A queue that windows of this size have made is gone by then. What is still late has another
/// cause.
constexpr Nanoseconds kShortestDrain = std::chrono::milliseconds(100);
constexpr int kDrainTrips = 4;  // of the base round trip, if that is more
/// After this the acknowledgement counts as lost, and another message is timed.
constexpr Nanoseconds kLongestProbe = std::chrono::seconds(5);
/// A broker this near needs no larger window than kMostNear, which has 1.47 times the throughput of
/// a window of 64 (20,000 requests outstanding) and 1.17 times that of 128 (50 clients x 64).
constexpr Nanoseconds kNear = std::chrono::microseconds(500);
constexpr std::size_t kMostNear = 512;

std::size_t bound_at(Nanoseconds base) noexcept {
  return base <= kNear ? kMostNear : WindowTuner::kMost;
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

bool WindowTuner::is_near() const noexcept {
  return base_.value() <= kNear;
}

void WindowTuner::add(Nanoseconds sent, Nanoseconds round_trip, bool in_use,
                      Nanoseconds now) noexcept {
  base_.add(round_trip, now);
  if (sent < round_began_) return;
  shortest_ = std::min(shortest_, round_trip);
  ++samples_;
  const Nanoseconds base = base_.value();
  if (in_use && round_trip - base <= std::max(kPrompt, base / 2)) {
    begin_round(std::min(size_ * 2, bound_at(base)), now);
  } else {
    shrink_if_late(now);
  }
}

void WindowTuner::shrink_if_late(Nanoseconds now) noexcept {
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
  begin_round(std::max(smaller, kLeast), now);
}

void WindowTuner::add_while_drained(Nanoseconds round_trip, Nanoseconds now) noexcept {
  base_.add(round_trip, now);
  begin_round(size_, now);
}

void WindowTuner::begin_round(std::size_t size, Nanoseconds now) noexcept {
  size_ = size;
  // What is sent before meets the queue of the former size, or none if the windows were closed.
  round_began_ = now + std::min(base(), kLongestProbe);
  shortest_ = Nanoseconds::max();
  samples_ = 0;
}

InflightWindow::InflightWindow(std::optional<unsigned> fixed, WindowTuner& shared) noexcept
    : shared_(shared),
      is_automatic_(!fixed),
      most_allowed_(fixed.value_or(kMost)),
      most_(most_allowed_) {}

void InflightWindow::set(std::optional<unsigned> fixed) noexcept {
  if (!fixed && is_automatic_) return;
  is_automatic_ = !fixed;
  most_allowed_ = fixed.value_or(kMost);
  open(broker_takes_);
}

void InflightWindow::open(std::size_t broker_takes) noexcept {
  broker_takes_ = std::max<std::size_t>(broker_takes, 1);
  most_ = std::min(most_allowed_, broker_takes_);
  probe_ = 0;
  probe_was_full_ = false;
  draining_ = false;
}

void InflightWindow::start_probe(std::uint64_t sequence, std::size_t in_flight,
                                 Nanoseconds now) noexcept {
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

void InflightWindow::end_probe(int round_trips, Nanoseconds now) noexcept {
  const Nanoseconds sample = (now - probe_sent_) / round_trips;
  probe_ = 0;
  if (draining_) {
    shared_.add_while_drained(sample, now);
    if (probe_was_drained_ || has_drained_long(now)) draining_ = false;
    return;
  }
  shared_.add(probe_sent_, sample, probe_was_full_ && most_ > shared_.value(), now);
}

bool InflightWindow::has_drained_long(Nanoseconds now) const noexcept {
  const Nanoseconds base = std::min(shared_.base(), kLongestProbe);  // there may be no sample yet
  return now - drain_began_ > std::max(kShortestDrain, base * kDrainTrips);
}

void InflightWindow::tick(Nanoseconds now) noexcept {
  if (draining_ && has_drained_long(now)) draining_ = false;
  if (probe_ != 0 && now - probe_sent_ > kLongestProbe) probe_ = 0;
}

}  // namespace sluice::mqtt
