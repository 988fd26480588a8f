#include "event/lookup_threads.h"

#include <fmt/format.h>
#include <pthread.h>
#include <uv.h>

#include <algorithm>
#include <csignal>
#include <utility>

#include "event/resolver.h"

namespace sluice::event {

LookupThreads& LookupThreads::system() {
  // Never destroyed: a thread may still run when the process ends.
  static LookupThreads& threads = *new LookupThreads(&Resolver::ask_system);
  return threads;
}

void LookupThreads::start(const std::shared_ptr<Lookup>& lookup) noexcept {
  const std::lock_guard lock(mutex_);
  waiting_.push_back(lookup);
  if (threads_ == kMostThreads || first_permitted() == waiting_.end()) return;
  const int status = start_thread();
  if (status == 0) {
    ++threads_;
  } else if (threads_ == 0) {  // otherwise a running thread takes it
    waiting_.pop_back();
    lookup->answer(Error{fmt::format("no thread to look it up: {}", uv_strerror(-status))});
  }
}

void LookupThreads::cancel(const std::shared_ptr<Lookup>& lookup) noexcept {
  const std::lock_guard lock(mutex_);
  waiting_.remove(lookup);
}

bool LookupThreads::is_busy() const noexcept {
  const std::lock_guard lock(mutex_);
  return threads_ > 0;
}

/// Returns an errno, or 0.
int LookupThreads::start_thread() noexcept {
  pthread_attr_t detached;
  if (const int status = pthread_attr_init(&detached); status != 0) return status;
  pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
  // The process's signals are for the loop's thread.
  sigset_t all;
  sigset_t former;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &former);
  const auto body = [](void* threads) -> void* {
    static_cast<LookupThreads*>(threads)->run();
    return nullptr;
  };
  pthread_t thread{};
  const int status = pthread_create(&thread, &detached, body, this);
  pthread_sigmask(SIG_SETMASK, &former, nullptr);
  pthread_attr_destroy(&detached);
  return status;
}

void LookupThreads::run() noexcept {
  while (const std::shared_ptr<Lookup> lookup = next()) {
    lookup->answer(query_(lookup->host()));
    const std::lock_guard lock(mutex_);
    if (lookup->was_slow()) --slow_;
  }
}

/// Null: nothing is left to do, and the thread ends.
std::shared_ptr<Lookup> LookupThreads::next() noexcept {
  const std::lock_guard lock(mutex_);
  const auto found = first_permitted();
  if (found == waiting_.end()) {
    --threads_;
    return nullptr;
  }
  std::shared_ptr<Lookup> lookup = std::move(*found);
  waiting_.erase(found);
  if (lookup->was_slow()) ++slow_;
  return lookup;
}

LookupThreads::Waiting::iterator LookupThreads::first_permitted() noexcept {
  return std::find_if(waiting_.begin(), waiting_.end(), [this](const auto& lookup) {
    return slow_ < kMostSlow || !lookup->was_slow();
  });
}

}  // namespace sluice::event
