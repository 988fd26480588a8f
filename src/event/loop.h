// The libuv loop: its clock and timers, work deferred to the end of a turn, and the destruction of
// objects outside their own callbacks.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/delegate.h"
#include "base/list.h"
#include "event/handle.h"
#include "event/timer_queue.h"

namespace sluice::event {

class Loop;
class NameService;

/// Runs once at the end of the current turn, however often it was scheduled. A member of the object
/// that it calls. If it schedules itself while it runs, it runs again in the next turn: after all
/// other watchers, and before the loop sleeps.
class Deferred : public ListNode<> {
 public:
  Deferred(Loop& loop, Delegate<void()> run) noexcept : loop_(loop), run_(run) {}
  ~Deferred() { cancel(); }

  void schedule() noexcept;
  void cancel() noexcept;

 private:
  friend class Loop;
  Loop& loop_;
  Delegate<void()> run_;
  List<Deferred>* queue_ = nullptr;  // the list that holds it, if any
};

/// Owns the uv_loop_t. Not thread-safe: every member is for the loop's own thread.
class Loop {
 public:
  /// Null is the system's clock. With another one, which outlives the loop, it never waits: each
  /// run_once() fires what is due by that clock. Throws where no descriptors are free for it.
  explicit Loop(const Clock* clock = nullptr);
  /// Waits for outstanding closes and closes the loop. A handle that still has an owner is a bug.
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  /// The time at the start of this turn.
  TimePoint now() const noexcept;

  /// The monotonic clock right now, for measuring; deadlines use now().
  std::chrono::nanoseconds precise_now() const noexcept;

  /// When the next timer fires; TimePoint::max() if none is running.
  TimePoint next_deadline() const noexcept { return timers_.earliest(); }

  /// This turn handled at least kBusyTurn events: small writes may be delayed by a turn, to be
  /// batched.
  bool is_busy() const noexcept { return events_ >= kBusyTurn; }
  /// Something was read, or became ready to be.
  void note_event() noexcept { ++events_; }
  /// A read filled its buffer: the socket may hold more, for which late timers wait.
  void note_unread() noexcept { has_unread_ = true; }

  /// Turns until stop() or until nothing is left to wait for. Only with the system's clock.
  void run() noexcept;
  /// One turn; with the system's clock it waits for an event if nothing is due. For tests and
  /// tools.
  void run_once() noexcept;
  void stop() noexcept;
  /// A file, a name lookup or a write is still pending.
  bool has_requests() const noexcept;

  /// Turns until no handle is left, then closes the loop: 0, or libuv's error when a handle still
  /// has an owner. The destructor calls it if it was not called before.
  int close() noexcept;

  /// Destroys an object between two turns, when none of its callbacks can be on the stack. In the
  /// order of the calls; a destructor may retire more.
  template <class T>
  void retire(std::unique_ptr<T> object) {
    if (object == nullptr) return;
    retired_.emplace_back(object.release(), [](void* retired) { delete static_cast<T*>(retired); });
  }

  /// Shared read buffer: valid until the next read of any stream, so that only a tail is copied.
  std::span<char> read_buffer() noexcept { return {read_buffer_.get(), kReadBufferBytes}; }

  uv_loop_s* raw() noexcept { return uv_.get(); }
  /// Looks up host names for Resolvers: the system, unless a test passes another.
  NameService& names() noexcept { return *names_; }
  /// Before any Resolver asks; `names` outlives them.
  void use_names(NameService& names) noexcept { names_ = &names; }
  /// For Timer.
  TimerQueue& timers() noexcept { return timers_; }

  static constexpr std::size_t kReadBufferBytes = 65536;
  static constexpr unsigned kBusyTurn = 16;

 private:
  friend class Deferred;
  void begin_turn() noexcept;
  void before_poll() noexcept;
  void after_poll() noexcept;
  void end_of_turn() noexcept;
  void keep_awake_for_work() noexcept;
  void run_deferred() noexcept;
  void destroy_retired() noexcept;

  using Retired = std::unique_ptr<void, void (*)(void*)>;

  const Clock* clock_;      // null: the system's, as libuv reads it
  TimePoint turn_began_{};  // by *clock_
  NameService* names_;
  std::unique_ptr<uv_loop_s> uv_;
  std::unique_ptr<char[]> read_buffer_;
  TimerQueue timers_;
  Handle<uv_prepare_s> prepare_;
  Handle<uv_check_s> check_;
  Handle<uv_idle_s> idle_;
  List<Deferred> deferred_;
  std::vector<Retired> retired_;
  unsigned events_ = 0;  // of this turn
  bool has_unread_ = false;
  bool closed_ = false;
};

}  // namespace sluice::event
