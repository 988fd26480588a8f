// Notifies systemd, if it started sluice.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>

#include "event/loop.h"
#include "event/timer.h"

namespace sluice::cli {

/// Speaks to the socket that NOTIFY_SOCKET names, by the protocol of sd_notify(3); without it, it
/// does nothing. Never waits: what a full socket does not take is sent later. Watchdog keep-alives
/// come from the loop, so that a loop that hangs is noticed.
class Supervisor {
 public:
  /// Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID.
  explicit Supervisor(event::Loop& loop);

  /// Call when all listeners are bound; sends READY=1 in the loop's first turn.
  void start() noexcept;
  /// Sends RELOADING=1; reloaded() must follow, whether the reload succeeded or not.
  void reloading() noexcept;
  void reloaded(std::string_view status) noexcept;
  /// Sends STOPPING=1.
  void stopping() noexcept;

  /// Notifications kept for a full socket; beyond, the oldest is dropped.
  static constexpr std::size_t kMostUnsent = 8;

 private:
  enum class Sent { Yes, Later, Never };
  void read_address(std::string_view name);
  void on_first_turn() noexcept;
  void on_watchdog() noexcept;
  void notify(std::string state) noexcept;
  void send_unsent() noexcept;
  Sent send(std::string_view state) noexcept;

  sockaddr_un address_{};
  socklen_t address_size_ = 0;  // 0: nothing is sent
  std::deque<std::string> unsent_;
  event::Deferred first_turn_;
  event::Timer watchdog_;
  event::Timer retry_;
};

}  // namespace sluice::cli
