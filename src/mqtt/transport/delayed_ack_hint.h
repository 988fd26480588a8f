// Asks the kernel not to delay TCP acknowledgements that a broker waits for.
#pragma once

#include "base/clock.h"
#include "event/loop.h"
#include "event/timer.h"

namespace sluice::mqtt {

/// With Nagle's algorithm a broker holds its second PUBACK until the first one's segment is
/// acknowledged, which the kernel here delays by up to 40 ms. Sets TCP_QUICKACK (tcp(7)) at the end
/// of the turn, at most once every 3 ms; skipped when outgoing data already carried the ACK.
class DelayedAckHint {
 public:
  explicit DelayedAckHint(event::Loop& loop);

  /// How soon the broker needs the TCP acknowledgement.
  enum class Urgency {
    None,   ///< no acknowledgements are outstanding
    Later,  ///< acknowledgements are being batched: within 3 ms
    Now,    ///< at the end of the turn
  };

  /// Data was read from this socket, which stays open until forget().
  void on_read(int fd, Urgency urgency) noexcept;
  /// Data was written to the socket, and carried the ACK.
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
