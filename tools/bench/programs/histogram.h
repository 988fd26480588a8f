// A histogram of latencies with a fixed size and a relative error of 1/64, for millions of values
// without a memory allocation in the measured loop.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace sluice::bench {

class Histogram {
 public:
  /// Counts one latency in nanoseconds; a negative one counts as 0.
  void add(std::int64_t nanoseconds) {
    const auto value = static_cast<std::uint64_t>(std::max<std::int64_t>(nanoseconds, 0));
    ++counts_[bucket_of(value)];
    ++total_;
    max_ = std::max(max_, value);
  }

  /// The latency in nanoseconds that `share` (0 to 1) of all values do not exceed; 0 when empty.
  std::uint64_t percentile(double share) const {
    const auto wanted = static_cast<std::uint64_t>(share * static_cast<double>(total_) + 0.5);
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (seen >= wanted && counts_[i] > 0) return std::min(upper_edge(i), max_);
    }
    return max_;
  }

  std::uint64_t max() const { return max_; }

 private:
  // Each power of two is cut into 64 steps; values below 64 have a bucket each.
  static constexpr unsigned kStepBits = 6;
  static constexpr std::uint64_t kSteps = 1U << kStepBits;

  static std::size_t bucket_of(std::uint64_t value) {
    if (value < kSteps) return value;
    const auto shift = static_cast<unsigned>(std::bit_width(value)) - 1 - kStepBits;
    return (static_cast<std::size_t>(shift) << kStepBits) + (value >> shift);
  }

  static std::uint64_t upper_edge(std::size_t bucket) {
    if (bucket < 2 * kSteps) return bucket;
    const std::size_t shift = (bucket >> kStepBits) - 1;
    return ((bucket - (shift << kStepBits) + 1) << shift) - 1;
  }

  std::array<std::uint64_t, (64 - kStepBits + 1) * kSteps> counts_{};
  std::uint64_t total_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace sluice::bench
