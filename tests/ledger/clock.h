// Time in this program: nanoseconds of the steady clock, as plain numbers.
#pragma once

#include <chrono>
#include <cstdint>

namespace sluice::ledger_run {

using Nanoseconds = std::int64_t;

constexpr Nanoseconds kMillisecond = 1'000'000;
constexpr Nanoseconds kSecond = 1'000 * kMillisecond;

inline Nanoseconds now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

constexpr double as_seconds(Nanoseconds time) {
  return static_cast<double>(time) / 1e9;
}
constexpr double as_milliseconds(Nanoseconds time) {
  return static_cast<double>(time) / 1e6;
}

}  // namespace sluice::ledger_run
