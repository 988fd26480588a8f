// Randomness is passed in, so that a test can fix its seed.
#pragma once

#include <cstdint>
#include <random>

namespace sluice {

/// Uniform numbers for jitter. Not for secrets.
class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  /// A number in [0, 1).
  double unit() { return std::uniform_real_distribution<double>(0.0, 1.0)(engine_); }

 private:
  std::mt19937_64 engine_;
};

}  // namespace sluice
