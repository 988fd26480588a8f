// Half-closes a socket and waits for the peer's FIN: by then the peer has read all that was sent.
#pragma once

#include <memory>

#include "base/delegate.h"
#include "event/fd_watcher.h"
#include "event/loop.h"

namespace sluice::mqtt {

/// One close of one socket. Sets no deadline: the caller does.
class GracefulClose {
 public:
  /// `closed`: the peer has closed, or the connection broke.
  GracefulClose(event::Loop& loop, Delegate<void()> closed) noexcept
      : loop_(loop), closed_(closed) {}
  ~GracefulClose() { drop(); }
  GracefulClose(const GracefulClose&) = delete;
  GracefulClose& operator=(const GracefulClose&) = delete;

  /// All is written. Nothing else watches the socket any more; it stays open until `closed` or
  /// drop().
  void begin(int fd);
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
