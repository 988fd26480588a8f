// Watches a descriptor that another object or a library owns.
#pragma once

#include "base/delegate.h"
#include "event/handle.h"

namespace sluice::event {

class Loop;

/// What a descriptor is, or is to be, watched for.
struct FdEvents {
  bool readable = false;
  bool writable = false;
  bool operator==(const FdEvents&) const = default;
};

/// Never closes the descriptor. Its owner calls release() in the same turn in which the descriptor
/// is closed and before anything is opened, and hands the object to Loop::retire(): it may not be
/// destroyed inside its own callback.
class FdWatcher {
 public:
  /// `ready` gets both events when the descriptor is in error: ask the owner what happened.
  FdWatcher(Loop& loop, int fd, Delegate<void(FdEvents)> ready);
  FdWatcher(const FdWatcher&) = delete;
  FdWatcher& operator=(const FdWatcher&) = delete;
  ~FdWatcher();

  /// Each change costs two epoll_ctl calls, so an unchanged mask is not set again.
  void watch(FdEvents events) noexcept;
  /// Stops watching at once and for good: no callback follows, and the descriptor's number may be
  /// used again. Idempotent.
  void release() noexcept;

 private:
  void on_ready(int status, int events) noexcept;

  Loop& loop_;
  Delegate<void(FdEvents)> ready_;
  Handle<uv_poll_s> handle_;
  FdEvents watched_;
  bool is_calling_ = false;  // ready_ is on the stack
};

}  // namespace sluice::event
