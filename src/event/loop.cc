#include "event/loop.h"

#include <uv.h>

#include <cassert>
#include <csignal>
#include <stdexcept>
#include <string>

#include "event/lookup_threads.h"

namespace sluice::event {
namespace {

std::unique_ptr<uv_loop_t> make_loop() {
  auto loop = std::make_unique<uv_loop_t>();
  if (const int error = uv_loop_init(loop.get()); error != 0)
    throw std::runtime_error(std::string("cannot make an event loop: ") + uv_strerror(error));
  return loop;
}

template <class T, int (*Init)(uv_loop_t*, T*)>
Handle<T> make_handle(uv_loop_t* loop, void* owner) {
  auto* handle = new T;
  Init(loop, handle);  // of these three kinds none can fail
  handle->data = owner;
  return Handle<T>(handle);
}

}  // namespace

void Deferred::schedule() noexcept {
  if (is_linked()) return;
  queue_ = &loop_.deferred_;
  queue_->push_back(*this);
}

void Deferred::cancel() noexcept {
  if (!is_linked()) return;
  queue_->remove(*this);
}

Loop::Loop(const Clock* clock)
    : clock_(clock),
      names_(&LookupThreads::system()),
      uv_(make_loop()),
      read_buffer_(new char[kReadBufferBytes]),
      timers_(*this) {
  if (clock_ != nullptr) begin_turn();
  // A write to a closed connection shall be an error, not the end of the process.
  std::signal(SIGPIPE, SIG_IGN);
  prepare_ = make_handle<uv_prepare_t, uv_prepare_init>(uv_.get(), this);
  check_ = make_handle<uv_check_t, uv_check_init>(uv_.get(), this);
  idle_ = make_handle<uv_idle_t, uv_idle_init>(uv_.get(), this);
  uv_prepare_start(prepare_.get(), [](uv_prepare_t* handle) {
    if (handle->data != nullptr) static_cast<Loop*>(handle->data)->before_poll();
  });
  uv_check_start(check_.get(), [](uv_check_t* handle) {
    if (handle->data != nullptr) static_cast<Loop*>(handle->data)->after_poll();
  });
  uv_unref(reinterpret_cast<uv_handle_t*>(prepare_.get()));
  uv_unref(reinterpret_cast<uv_handle_t*>(check_.get()));
}

Loop::~Loop() {
  if (!closed_) {
    [[maybe_unused]] const int status = close();
    assert(status == 0);
  }
}

TimePoint Loop::now() const noexcept {
  if (clock_ != nullptr) return turn_began_;
  return TimePoint(Duration(static_cast<Duration::rep>(uv_now(uv_.get()))));
}

std::chrono::nanoseconds Loop::precise_now() const noexcept {
  if (clock_ != nullptr) return clock_->now();
  return std::chrono::nanoseconds(static_cast<std::int64_t>(uv_hrtime()));
}

void Loop::run() noexcept {
  assert(clock_ == nullptr);
  uv_run(uv_.get(), UV_RUN_DEFAULT);
}
void Loop::run_once() noexcept {
  if (clock_ != nullptr) begin_turn();
  uv_run(uv_.get(), clock_ == nullptr ? UV_RUN_ONCE : UV_RUN_NOWAIT);
}
void Loop::stop() noexcept {
  uv_stop(uv_.get());
}

bool Loop::has_requests() const noexcept {
  return uv_->active_reqs.count > 0 || names_->is_busy();
}

int Loop::close() noexcept {
  prepare_.reset();
  check_.reset();
  idle_.reset();
  timers_.close();
  do {
    while (!retired_.empty() || !deferred_.empty())
      end_of_turn();
    // A handle that is not closing has an owner: waiting for it would never end.
    const auto unref_open = [](uv_handle_t* handle, void*) {
      if (uv_is_closing(handle) == 0) uv_unref(handle);
    };
    uv_walk(uv_.get(), unref_open, nullptr);
    uv_run(uv_.get(), UV_RUN_DEFAULT);
  } while (!retired_.empty() || !deferred_.empty());
  if (timers_.has_timers()) return UV_EBUSY;
  const int status = uv_loop_close(uv_.get());
  closed_ = status == 0;
  return status;
}

/// With the system's clock libuv does this.
void Loop::begin_turn() noexcept {
  turn_began_ = TimePoint(std::chrono::floor<Duration>(clock_->now()));
}

void Loop::before_poll() noexcept {
  timers_.fire_at_once();
  end_of_turn();
  if (clock_ == nullptr) timers_.arm();
  keep_awake_for_work();
  events_ = 0;
}

/// Timers come last: what was read has been acted upon by then.
void Loop::after_poll() noexcept {
  timers_.fire_at_once();
  end_of_turn();
  timers_.fire_after_input(std::exchange(has_unread_, false));
  keep_awake_for_work();
}

void Loop::end_of_turn() noexcept {
  run_deferred();
  destroy_retired();
}

/// What was scheduled or retired meanwhile must not wait for the next event.
void Loop::keep_awake_for_work() noexcept {
  if (deferred_.empty() && retired_.empty()) {
    uv_idle_stop(idle_.get());
  } else {
    uv_idle_start(idle_.get(), [](uv_idle_t*) {});
  }
}

void Loop::run_deferred() noexcept {
  List<Deferred> batch;
  while (!deferred_.empty()) {
    Deferred& moved = deferred_.pop_front();
    moved.queue_ = &batch;
    batch.push_back(moved);
  }
  while (!batch.empty()) {
    Deferred& next = batch.pop_front();
    next.run_();
  }
}

void Loop::destroy_retired() noexcept {
  // A destructor may retire more; that goes to the next round of this loop, never into the list
  // that is being emptied.
  while (!retired_.empty()) {
    std::vector<Retired> batch;
    batch.swap(retired_);
    for (Retired& object : batch)
      object.reset();
  }
}

}  // namespace sluice::event
