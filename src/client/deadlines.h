// One timer for the deadlines of all clients.
#pragma once

#include "base/clock.h"
#include "base/deadline_queue.h"
#include "event/timer.h"

namespace sluice::event {
class Loop;
}

namespace sluice::client {

class ClientConnection;

/// Calls ClientConnection::check_deadlines(). A deadline that moved to a later time is noticed only
/// at the earlier one, so that traffic does not touch the heap.
class Deadlines {
 public:
  explicit Deadlines(event::Loop& loop);

  /// Schedules check_deadlines() for `deadline` or earlier.
  void watch(ClientConnection& client, TimePoint deadline) noexcept;
  void forget(ClientConnection& client) noexcept;

 private:
  void on_timer() noexcept;
  void arm() noexcept;

  event::Loop& loop_;
  DeadlineQueue<ClientConnection> queue_;
  event::Timer timer_;
  TimePoint armed_for_{};
};

}  // namespace sluice::client
