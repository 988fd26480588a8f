// The end of a connection, seen to by both sides: what was sent last has been read when the peer
// has closed its side.
#pragma once

#include <memory>

#include "base/delegate.h"
#include "event/fd_watcher.h"
#include "event/loop.h"

namespace sluice::mqtt {

/// Shuts the writing side of a socket down and waits until the peer has closed, too.
class Parting {
 public:
  /// `over`: the peer has closed, or the connection broke.
  Parting(event::Loop& loop, Delegate<void()> over) noexcept : loop_(loop), over_(over) {}
  ~Parting() { drop(); }
  Parting(const Parting&) = delete;
  Parting& operator=(const Parting&) = delete;

  /// All is written. Nobody else watches the socket any more; it stays open until `over` or drop().
  void begin(int fd);
  bool is_under_way() const noexcept { return watcher_ != nullptr; }
  /// The socket is about to be closed. Idempotent.
  void drop() noexcept;

 private:
  void on_ready(event::FdEvents) noexcept;

  event::Loop& loop_;
  Delegate<void()> over_;
  int fd_ = -1;
  std::unique_ptr<event::FdWatcher> watcher_;
};

}  // namespace sluice::mqtt
