// Runs the store on the thread pool, one job at a time, and opens it again after a failure.
#pragma once

#include <functional>
#include <memory>

#include "base/backoff.h"
#include "base/random.h"
#include "event/loop.h"
#include "event/timer.h"
#include "event/work.h"
#include "queue/batch.h"
#include "queue/store.h"

namespace sluice::queue {

/// Calls to the owner of a Committer. It may start the next job from within each of them, if
/// is_ready().
class CommitterEvents {
 public:
  /// After each attempt, also a later one. On a fault another one follows.
  virtual void on_opened(const Store::OpenResult& result) = 0;
  /// The batch is given back: for its memory, and for what has to be done again.
  virtual void on_committed(const CommitResult& result, std::unique_ptr<Batch> batch) = 0;
  /// A job has ended, and no other one was started.
  virtual void on_ready() = 0;

 protected:
  ~CommitterEvents() = default;
};

/// Lives on the loop; the store belongs to the running job, which an owner that ends leaves behind.
/// A checkpoint starts when the batch before it is reported, so that no reply waits for it.
class Committer {
 public:
  static constexpr Duration kReopenMin = std::chrono::seconds(5);
  static constexpr Duration kReopenMax = std::chrono::seconds(60);
  static constexpr Duration kIdle = std::chrono::seconds(1);  ///< then the file is looked after

  Committer(event::Loop& loop, std::unique_ptr<Store> store, CommitterEvents& events,
            Random& random);

  /// Once, at the start.
  void open();
  /// The store is open, and no job runs.
  bool is_ready() const noexcept { return is_open_ && !work_.is_busy(); }
  bool is_open() const noexcept { return is_open_; }
  /// Room is short: rows are refused.
  bool is_full() const noexcept { return is_full_; }

  /// Only while is_ready().
  void commit(std::unique_ptr<Batch> batch);
  /// Another use of the store, on the pool's thread, and then `done` with its result, on the
  /// loop's. Only while is_ready().
  void run(std::function<Fault(Store&)> use, std::function<void(const Fault&)> done);

 private:
  struct Job;

  void start(Job job);
  void on_done();
  void upkeep();
  void log_opened(const Store::OpenResult& result);
  void on_closed(const Fault& why);
  void set_full(bool is_full);

  CommitterEvents& events_;
  Random& random_;
  std::shared_ptr<Store> store_;
  std::shared_ptr<Job> job_;
  Backoff backoff_{kReopenMin, kReopenMax};
  bool is_open_ = false;
  bool is_full_ = false;
  bool was_closed_ = false;  // by a failure; reported when it is open again
  event::Timer reopen_timer_;
  event::Timer idle_timer_;
  event::Work work_;
};

}  // namespace sluice::queue
