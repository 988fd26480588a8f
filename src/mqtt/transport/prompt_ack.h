// TCP's own acknowledgements, soon enough for a broker that waits for them.
#pragma once

#include "base/clock.h"
#include "event/loop.h"
#include "event/timer.h"

namespace sluice::mqtt {

/// A broker with Nagle's algorithm on holds its second PUBACK until the first one's segment is
/// acknowledged, and the kernel here puts that off by up to 40 ms, for something to travel with.
/// So the kernel is told to do it now: after a while without as soon as the turn is over, otherwise
/// a few milliseconds later, unless something was sent meanwhile that took it along. Each time is a
/// system call and a packet of its own, for both sides, and for each PUBACK they would cost more
/// than the PUBACK.
class PromptAck {
 public:
  explicit PromptAck(event::Loop& loop);

  /// Something was read from this socket, which stays open until forget().
  void on_read(int fd) noexcept;
  /// Something was written to it.
  void on_sent() noexcept { forget(); }
  /// The socket is about to be closed.
  void forget() noexcept {
    owed_to_ = -1;
    timer_.stop();
  }
  bool is_owed() const noexcept { return owed_to_ >= 0; }

 private:
  void ask() noexcept;

  event::Loop& loop_;
  int owed_to_ = -1;  // a socket, or none
  TimePoint asked_at_{};
  event::Timer timer_;
};

}  // namespace sluice::mqtt
