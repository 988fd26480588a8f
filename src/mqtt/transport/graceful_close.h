// The end of a connection, seen to by both sides: what was sent last has been read when the peer
// has closed its side.
#pragma once

#include <memory>

#include "base/delegate.h"
#include "event/fd_watcher.h"
#include "event/loop.h"

namespace sluice::mqtt {

/// Shuts the writing side of a socket down and waits until the peer has closed, too.
class GracefulClose {
 public:
  /// `closed`: the peer has closed, or the connection broke.
  GracefulClose(event::Loop& loop, Delegate<void()> closed) noexcept
      : loop_(loop), closed_(closed) {}
  ~GracefulClose() { drop(); }
  GracefulClose(const GracefulClose&) = delete;
  GracefulClose& operator=(const GracefulClose&) = delete;

  /// All is written. Nobody else watches the socket any more; it stays open until `closed` or
  /// drop().
  void begin(int fd);
  bool is_under_way() const noexcept { return watcher_ != nullptr; }
  /// The socket is about to be closed. Idempotent.
  void drop() noexcept;

 private:
  void on_ready(event::FdEvents) noexcept;

  event::Loop& loop_;
  Delegate<void()> closed_;
  int fd_ = -1;
  std::unique_ptr<event::FdWatcher> watcher_;
};

}  // namespace sluice::mqtt
