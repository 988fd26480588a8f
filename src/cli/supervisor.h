// Notifies systemd, if it started sluice.
#pragma once

#include <string>
#include <string_view>

#include "event/loop.h"
#include "event/timer.h"

namespace sluice::cli {

/// Speaks to the socket that NOTIFY_SOCKET names (sd_notify); without it, or in a build without
/// libsystemd, it does nothing. Watchdog keep-alives come from the loop, so that a loop that
/// hangs is noticed.
class Supervisor {
 public:
  explicit Supervisor(event::Loop& loop);

  /// Call when all listeners are bound; sends READY=1 in the loop's first turn.
  void start() noexcept;
  /// Sends RELOADING=1; reloaded() must follow, whether the reload succeeded or not.
  void reloading() noexcept;
  void reloaded(std::string_view status) noexcept;
  /// Sends STOPPING=1.
  void stopping() noexcept;

 private:
  void on_first_turn() noexcept;
  void on_watchdog() noexcept;

  event::Deferred first_turn_;
  event::Timer watchdog_;
};

}  // namespace sluice::cli
