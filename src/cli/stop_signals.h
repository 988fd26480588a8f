// Tells a second stop signal from an echo of the first.
#pragma once

#include <chrono>
#include <optional>

#include "base/clock.h"

namespace sluice::cli {

/// Counts SIGTERM and SIGINT together. Supervisors and shells often deliver one request to stop
/// twice: to the process and to its group, or as both signals.
class StopSignals {
 public:
  enum class Meaning {
    Stop,    ///< the first one
    Echo,    ///< within kEcho of the first: the same request
    ExitNow  ///< a later one
  };
  static constexpr Duration kEcho = std::chrono::seconds(1);

  Meaning note(TimePoint now) noexcept {
    if (!first_) {
      first_ = now;
      return Meaning::Stop;
    }
    return now - *first_ < kEcho ? Meaning::Echo : Meaning::ExitNow;
  }

 private:
  std::optional<TimePoint> first_;
};

}  // namespace sluice::cli
