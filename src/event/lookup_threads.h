// Threads that look up host names. A lookup may take 10 s or more to fail; libuv would run it on
// its four threads, where other names and files would wait behind it.
#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <mutex>

#include "event/name_service.h"

namespace sluice::event {

/// A thread exists only while it has a lookup. Serves in order of start(), but names that were slow
/// before take at most half of the threads. The threads are detached: none delays the exit.
/// Thread-safe.
class LookupThreads final : public NameService {
 public:
  /// Blocks until the answer is there.
  using Query = Result<Addresses> (*)(const std::string& host);
  static constexpr std::size_t kMostThreads = 32;
  static constexpr std::size_t kMostSlow = kMostThreads / 2;

  /// Outlives its threads: destroy it only when it is not busy.
  explicit LookupThreads(Query query) noexcept : query_(query) {}

  /// That of the process, which asks the system.
  static LookupThreads& system();

  void start(const std::shared_ptr<Lookup>& lookup) noexcept override;
  void cancel(const std::shared_ptr<Lookup>& lookup) noexcept override;
  bool is_busy() const noexcept override;

 private:
  using Waiting = std::list<std::shared_ptr<Lookup>>;

  int start_thread() noexcept;
  void run() noexcept;
  std::shared_ptr<Lookup> next() noexcept;
  Waiting::iterator first_permitted() noexcept;

  const Query query_;
  mutable std::mutex mutex_;  // for all that follows
  Waiting waiting_;
  std::size_t threads_ = 0;
  std::size_t slow_ = 0;  // threads with a name that was slow before
};

}  // namespace sluice::event
