// The epoll loop of this program; also measures its own delays.
#pragma once

#include <cstdint>
#include <deque>
#include <utility>

#include "clock.h"

namespace sluice::ledger_run {

/// The owner of a descriptor in the loop. It lives until the end of the turn in which it closes it.
class Pollable {
 public:
  virtual void on_events(std::uint32_t events) = 0;

 protected:
  ~Pollable() = default;
};

class Poller {
 public:
  Poller();
  ~Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  void watch(int fd, Pollable& by, std::uint32_t events);
  void change(int fd, Pollable& by, std::uint32_t events);
  void forget(int fd);

  /// One turn: waits for timeout_ms at most, then calls the owners with events.
  void turn(int timeout_ms);

  /// The part of the time from `since` to `now` in which this program was late: busy with its turn,
  /// or waiting for a processor. What it reads now may have arrived that much earlier.
  Nanoseconds own_part(Nanoseconds since, Nanoseconds now) const;
  Nanoseconds worst_stall() const { return worst_stall_; }
  void forget_worst_stall() { worst_stall_ = 0; }

 private:
  void note_delay(Nanoseconds begin, Nanoseconds end);

  int epoll_fd_;
  Nanoseconds woke_at_;
  Nanoseconds missed_ = 0;  // delays of the last turn, too short for stalls_
  std::deque<std::pair<Nanoseconds, Nanoseconds>> stalls_;  // of the last seconds, oldest first
  Nanoseconds worst_stall_ = 0;
};

}  // namespace sluice::ledger_run
