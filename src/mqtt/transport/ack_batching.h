// Several acknowledgements at a time from a broker that sends them one by one.
#pragma once

#include <cstddef>

#include "base/delegate.h"
#include "event/loop.h"
#include "event/timer.h"

namespace sluice::mqtt {

/// A busy broker writes each PUBACK by itself, and each one would wake sluice up: a system call to
/// wait, one to read 4 bytes, a reply in a write of its own, and for the broker a processor to
/// wake. While a connection's window is full a few of them lead to little more than replies. So
/// meanwhile its socket counts as readable when it holds enough of them to go on (SO_RCVLOWAT,
/// socket(7)), or a few milliseconds after something was read. A socket that has brought nothing in
/// that time is left alone: its next byte counts at once.
class AckBatching {
 public:
  /// `read` is to read what the socket holds; false: nothing.
  AckBatching(event::Loop& loop, Delegate<bool()> read);

  /// So many bytes have to be there; 1: whatever comes. The socket stays open until forget().
  void expect(int fd, std::size_t bytes) noexcept;
  /// More than one is waited for.
  bool is_waiting() const noexcept { return wanted_ > 1; }
  /// Something was read.
  void on_read() noexcept;
  /// The socket is about to be closed.
  void forget() noexcept;

 private:
  void on_timer() noexcept;
  void apply(std::size_t bytes) noexcept;

  Delegate<bool()> read_;
  int fd_ = -1;
  std::size_t wanted_ = 1;
  std::size_t applied_ = 1;
  event::Timer timer_;
};

}  // namespace sluice::mqtt
