#include "queue/committer.h"

#include <cassert>
#include <utility>

#include "base/log.h"

namespace sluice::queue {

/// All that the pool's thread touches, and what the loop's thread looks at afterwards.
struct Committer::Job {
  std::function<void(Job&)> task = {};
  std::function<void(Job&)> report = {};  // on the loop's thread
  std::shared_ptr<Store> store = {};
  std::unique_ptr<Batch> batch = {};
  CommitResult committed = {};
  Store::OpenResult opened = {};
  Store::Upkeep kept = {};
  Fault used = {};
  Fault why_closed = {};
  bool is_open = false;
  bool has_reserve = false;
  bool wants_upkeep = false;

  void run() {
    task(*this);
    is_open = store->is_open();
    if (!is_open) why_closed = store->why_closed();
    has_reserve = store->has_reserve();
    wants_upkeep = batch && store->wants_upkeep();
  }
};

Committer::Committer(event::Loop& loop, std::unique_ptr<Store> store, CommitterEvents& events,
                     Random& random)
    : events_(events),
      random_(random),
      store_(std::move(store)),
      reopen_timer_(loop, bind<&Committer::open>(this)),
      idle_timer_(loop, bind<&Committer::upkeep>(this)),
      work_(loop, bind<&Committer::on_done>(this)) {}

void Committer::open() {
  start({.task = [](Job& job) { job.opened = job.store->open(); },
         .report =
             [this](Job& job) {
               log_opened(job.opened);
               events_.on_opened(job.opened);
             }});
}

void Committer::commit(std::unique_ptr<Batch> batch) {
  assert(is_ready());
  start({.task = [](Job& job) { job.committed = job.store->commit(*job.batch); },
         .report = [this](Job& job) { events_.on_committed(job.committed, std::move(job.batch)); },
         .batch = std::move(batch)});
}

void Committer::run(std::function<Fault(Store&)> use, std::function<void(const Fault&)> done) {
  assert(is_ready());
  start({.task = [use = std::move(use)](Job& job) { job.used = use(*job.store); },
         .report = [done = std::move(done)](Job& job) { done(job.used); }});
}

void Committer::upkeep() {
  start({.task = [](Job& job) { job.kept = job.store->upkeep(); }, .report = [](Job&) {}});
}

void Committer::start(Job job) {
  idle_timer_.stop();
  job.store = store_;
  job_ = std::make_shared<Job>(std::move(job));
  work_.start([running = job_] { running->run(); });
}

void Committer::on_done() {
  const std::shared_ptr<Job> job = std::move(job_);
  is_open_ = job->is_open;
  if (is_open_)
    set_full(!job->has_reserve);
  else
    on_closed(job->why_closed);
  if (is_open_ && job->wants_upkeep) upkeep();
  job->report(*job);
  if (is_ready()) events_.on_ready();
  if (is_ready() && job->kept.more) upkeep();
  if (is_ready()) idle_timer_.start(kIdle);
}

void Committer::on_closed(const Fault& why) {
  const Duration wait = backoff_.next(random_.unit());
  log::error("queue: closed ({}: {}); next attempt in {} ms", to_string(why.trouble), why.detail,
             wait.count());
  was_closed_ = true;
  reopen_timer_.start(wait);
}

void Committer::log_opened(const Store::OpenResult& result) {
  if (!result.quarantined.empty())
    log::error(
        "queue: the file was corrupt ({}) and is now {}; a new one was begun. What can be read of "
        "it: sqlite3 FILE .recover",
        result.corruption, result.quarantined);
  if (result.fault) return;
  backoff_.reset();
  if (std::exchange(was_closed_, false)) log::info("queue: open again");
}

void Committer::set_full(bool is_full) {
  if (is_full_ == is_full) return;
  is_full_ = is_full;
  if (is_full)
    log::warn("queue: the disk is full; messages are removed, but none is stored");
  else
    log::info("queue: there is room on the disk again");
}

}  // namespace sluice::queue
