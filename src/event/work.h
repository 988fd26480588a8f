// Blocking work, such as reading files, on libuv's thread pool.
#pragma once

#include <functional>

#include "base/delegate.h"

namespace sluice::event {

class Loop;

/// Runs one task at a time. Destroying it drops the `done` of a running task, so a task must own
/// all that it touches.
class Work {
 public:
  /// `done` is called on the loop's thread.
  Work(Loop& loop, Delegate<void()> done) noexcept : loop_(loop), done_(done) {}
  ~Work();
  Work(const Work&) = delete;
  Work& operator=(const Work&) = delete;

  /// Runs `task` on another thread, then `done`. Only while is_busy() is false.
  void start(std::function<void()> task);
  /// Forgets the running task, which may never end: its `done` is not called, and another one may
  /// start. It keeps one thread of the pool until it ends.
  void abandon() noexcept;
  bool is_busy() const noexcept { return request_ != nullptr; }

 private:
  struct Request;

  Loop& loop_;
  Delegate<void()> done_;
  Request* request_ = nullptr;  // owned by libuv until its callback
};

}  // namespace sluice::event
