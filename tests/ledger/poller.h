// The one epoll loop of this program, and a measure of how late it was itself.
#pragma once

#include <cstdint>

#include "clock.h"

namespace sluice::ledger {

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

  /// How long what is read now may have waited for this program: the rest of the last turn, what
  /// the system let it wait for a processor, and this turn up to `now`.
  Nanoseconds own_part(Nanoseconds now) const { return missed_ + (now - woke_at_); }
  Nanoseconds worst_stall() const { return worst_stall_; }
  void forget_worst_stall() { worst_stall_ = 0; }

 private:
  int epoll_fd_;
  Nanoseconds woke_at_;
  Nanoseconds missed_ = 0;
  Nanoseconds worst_stall_ = 0;
};

}  // namespace sluice::ledger
