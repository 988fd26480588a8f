// What systemd is told, if it is what started sluice.
#pragma once

#include <string>
#include <string_view>

#include "event/loop.h"
#include "event/timer.h"

namespace sluice::cli {

/// Speaks to the socket that NOTIFY_SOCKET names (sd_notify); without it, or in a build without
/// libsystemd, it does nothing. The watchdog is fed from the loop, so that one that hangs is
/// noticed.
class Supervisor {
 public:
  explicit Supervisor(event::Loop& loop);

  /// To be called when all listeners are bound: told in the loop's first turn, READY=1.
  void start() noexcept;
  /// A reload begins, RELOADING=1; reloaded() has to follow, whatever came of it.
  void reloading() noexcept;
  void reloaded(std::string_view status) noexcept;
  /// A stop begins, STOPPING=1.
  void stopping() noexcept;

 private:
  void on_first_turn() noexcept;
  void on_watchdog() noexcept;

  event::Deferred first_turn_;
  event::Timer watchdog_;
};

}  // namespace sluice::cli
