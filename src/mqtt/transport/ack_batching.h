// Reads several acknowledgements at a time from a broker that sends them one by one.
#pragma once

#include <cstddef>

#include "base/delegate.h"
#include "event/loop.h"
#include "event/timer.h"

namespace sluice::mqtt {

/// A busy broker writes each PUBACK separately, and each would cost a wake-up and a read of 4
/// bytes. While a window is full, the socket counts as readable once it holds enough of them to go
/// on sending (SO_RCVLOWAT, socket(7)), or kLongest after the last read; if it stays empty,
/// batching pauses.
class AckBatching {
 public:
  /// `read` reads what the socket holds; false: nothing.
  AckBatching(event::Loop& loop, Delegate<bool()> read);

  /// The socket counts as readable from this many bytes on; 1: no batching. It stays open until
  /// forget().
  void expect(int fd, std::size_t bytes) noexcept;
  /// True while batching.
  bool is_waiting() const noexcept { return wanted_ > 1; }
  /// The socket was read: the time limit begins again.
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
