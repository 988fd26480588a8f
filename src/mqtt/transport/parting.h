// The end of a connection, seen to by both sides: what was sent last has been read when the peer
// has closed its side.
#pragma once

#include <memory>

#include "base/delegate.h"
#include "event/descriptor.h"
#include "event/fd_watcher.h"
#include "event/loop.h"

namespace sluice::mqtt {

/// Keeps a socket open that its owner closes, until the peer has closed it, too.
class Parting {
 public:
  /// `over`: the peer has closed, or the connection broke.
  Parting(event::Loop& loop, Delegate<void()> over) noexcept : loop_(loop), over_(over) {}
  ~Parting() { drop(); }
  Parting(const Parting&) = delete;
  Parting& operator=(const Parting&) = delete;

  /// Before the owner's last write.
  void hold(int fd) noexcept;
  /// All is written: waits for the peer. False where there is nothing to wait for.
  bool begin();
  bool is_under_way() const noexcept { return watcher_ != nullptr; }
  /// Closes the socket now. Idempotent.
  void drop() noexcept;

 private:
  void on_ready(event::FdEvents) noexcept;

  event::Loop& loop_;
  Delegate<void()> over_;
  event::Descriptor socket_{-1};
  std::unique_ptr<event::FdWatcher> watcher_;  // released before its descriptor
};

}  // namespace sluice::mqtt
