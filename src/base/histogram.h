// Counts durations in fixed buckets, cheaply enough to do it for every message.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace sluice {

/// Not thread-safe. An observation costs about the same whatever its value, and allocates nothing.
class LatencyHistogram {
 public:
  using Nanoseconds = std::chrono::nanoseconds;

  /// Upper bounds, inclusive, of all buckets but the last, which has none.
  static constexpr std::array kBounds = {
      Nanoseconds(std::chrono::microseconds(100)),  Nanoseconds(std::chrono::microseconds(250)),
      Nanoseconds(std::chrono::microseconds(500)),  Nanoseconds(std::chrono::milliseconds(1)),
      Nanoseconds(std::chrono::microseconds(2500)), Nanoseconds(std::chrono::milliseconds(5)),
      Nanoseconds(std::chrono::milliseconds(10)),   Nanoseconds(std::chrono::milliseconds(25)),
      Nanoseconds(std::chrono::milliseconds(50)),   Nanoseconds(std::chrono::milliseconds(100)),
      Nanoseconds(std::chrono::milliseconds(250)),  Nanoseconds(std::chrono::milliseconds(500)),
      Nanoseconds(std::chrono::seconds(1)),         Nanoseconds(std::chrono::milliseconds(2500)),
      Nanoseconds(std::chrono::seconds(5)),         Nanoseconds(std::chrono::seconds(10)),
      Nanoseconds(std::chrono::seconds(30)),        Nanoseconds(std::chrono::seconds(60)),
  };
  static constexpr std::size_t kBuckets = kBounds.size() + 1;

  static constexpr double seconds(Nanoseconds value) noexcept {
    return std::chrono::duration<double>(value).count();
  }

  void observe(Nanoseconds value) noexcept {
    std::size_t bucket = kFirst[width_of(value)];
    while (bucket < kBounds.size() && value > kBounds[bucket])
      ++bucket;
    ++counts_[bucket];
    sum_seconds_ += seconds(value);
  }

  /// How many fell into this bucket alone, not into those below it.
  std::uint64_t count_in(std::size_t bucket) const noexcept { return counts_[bucket]; }
  double sum_seconds() const noexcept { return sum_seconds_; }
  std::uint64_t count() const noexcept {
    std::uint64_t all = 0;
    for (const std::uint64_t count : counts_)
      all += count;
    return all;
  }

  /// An estimate of the value, in seconds, that the share `q` (0 to 1) of all observations does not
  /// exceed: evenly spread within its bucket, the highest bound if beyond all. 0 without any.
  double quantile_seconds(double q) const noexcept {
    const double rank = q * static_cast<double>(count());
    double below = 0;
    Nanoseconds lower{0};
    for (std::size_t i = 0; i < kBounds.size(); ++i) {
      const auto here = static_cast<double>(counts_[i]);
      if (here > 0 && below + here >= rank) {
        return seconds(lower) + seconds(kBounds[i] - lower) * (rank - below) / here;
      }
      below += here;
      lower = kBounds[i];
    }
    return counts_.back() > 0 ? seconds(kBounds.back()) : 0;
  }

 private:
  static constexpr std::size_t kWidths = 65;

  static constexpr std::size_t width_of(Nanoseconds value) noexcept {
    return std::bit_width(static_cast<std::uint64_t>(std::max(value, Nanoseconds(0)).count()));
  }
  /// The bucket of the smallest value of each width in bits.
  static constexpr auto kFirst = [] {
    std::array<std::uint8_t, kWidths> first{};
    for (std::size_t width = 1; width < kWidths - 1; ++width) {
      const Nanoseconds smallest(std::int64_t{1} << (width - 1));
      std::uint8_t bucket = first[width - 1];
      while (bucket < kBounds.size() && smallest > kBounds[bucket])
        ++bucket;
      first[width] = bucket;
    }
    return first;
  }();

  std::array<std::uint64_t, kBuckets> counts_{};
  double sum_seconds_ = 0;
};

}  // namespace sluice
