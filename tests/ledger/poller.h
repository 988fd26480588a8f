// The one epoll loop of this program, and a measure of how late it was itself.
#pragma once

#include <cstdint>
#include <deque>
#include <utility>

#include "clock.h"

namespace sluice::ledger_run {

/// Whoever has a descriptor in the loop. It lives until the end of the turn in which it is closed.
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

  /// One turn: waits so long at most, then calls whoever has something to do.
  void turn(int timeout_ms);

  /// How much of the time from `since` to `now` this program was late itself: busy with its turn,
  /// or waiting for a processor. What is read now may have lain there so long; and where the whole
  /// machine stood still, nobody else could do better.
  Nanoseconds own_part(Nanoseconds since, Nanoseconds now) const;
  Nanoseconds worst_stall() const { return worst_stall_; }
  void forget_worst_stall() { worst_stall_ = 0; }

 private:
  void note_delay(Nanoseconds begin, Nanoseconds end);

  int epoll_fd_;
  Nanoseconds woke_at_;
  Nanoseconds missed_ = 0;  // short delays of the last turn, too short for stalls_
  std::deque<std::pair<Nanoseconds, Nanoseconds>> stalls_;  // of the last seconds, oldest first
  Nanoseconds worst_stall_ = 0;
};

}  // namespace sluice::ledger_run
