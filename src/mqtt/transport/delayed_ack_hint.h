// TCP's own acknowledgements, soon enough for a broker that waits for them.
#pragma once

#include "base/clock.h"
#include "event/loop.h"
#include "event/timer.h"

namespace sluice::mqtt {

/// A broker with Nagle's algorithm on holds its second PUBACK until the first one's segment is
/// acknowledged, and the kernel here puts that off by up to 40 ms, for something to travel with.
/// So the kernel is asked for it (TCP_QUICKACK, tcp(7)), unless something is sent before that takes
/// it along. That is a system call and a packet of its own, for both sides, so only while the
/// broker has acknowledgements to send: at the end of the turn where messages wait for them, and
/// where a full window waits for several anyway at most every few milliseconds.
class DelayedAckHint {
 public:
  explicit DelayedAckHint(event::Loop& loop);

  /// How soon TCP's acknowledgement is of use to the broker.
  enum class Urgency {
    None,   ///< it has nothing more to send
    Later,  ///< what it sends next is not waited for one by one
    Now,
  };

  /// Something was read from this socket, which stays open until forget().
  void on_read(int fd, Urgency urgency) noexcept;
  /// Something was written to it.
  void on_sent() noexcept { forget(); }
  /// The socket is about to be closed.
  void forget() noexcept {
    pending_fd_ = -1;
    timer_.stop();
  }
  bool is_pending() const noexcept { return pending_fd_ >= 0; }

 private:
  void set_quickack() noexcept;

  event::Loop& loop_;
  int pending_fd_ = -1;  // a socket, or none
  TimePoint set_at_{};
  event::Timer timer_;
};

}  // namespace sluice::mqtt
