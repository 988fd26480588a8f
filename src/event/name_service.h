// What looks up host names for a Loop's resolvers: the system, or a test.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"

struct uv_async_s;

namespace sluice::event {

/// Numeric addresses.
using Addresses = std::vector<std::string>;

/// One name being looked up, shared by its Resolver and the thread that answers. Thread-safe.
class Lookup {
 public:
  /// `answered` is notified of the answer.
  Lookup(std::string host, bool was_slow, uv_async_s* answered)
      : host_(std::move(host)), was_slow_(was_slow), answered_(answered) {}

  const std::string& host() const noexcept { return host_; }
  /// The previous lookup of this name failed or took long.
  bool was_slow() const noexcept { return was_slow_; }
  /// Ignored after drop().
  void answer(Result<Addresses> answer) noexcept;
  /// The answer. Only after the notification.
  Result<Addresses> take() noexcept;
  /// No answer is wanted any more, and no notification comes.
  void drop() noexcept;

 private:
  const std::string host_;
  const bool was_slow_;
  std::mutex mutex_;
  uv_async_s* answered_;  // null after drop()
  Result<Addresses> answer_ = Addresses{};
};

/// For the loop's thread.
class NameService {
 public:
  /// Lookup::answer() follows, from any thread, unless cancel() comes first.
  virtual void start(const std::shared_ptr<Lookup>& lookup) noexcept = 0;
  /// The answer was dropped: forgets a lookup that has not begun. One that has begun goes on.
  virtual void cancel(const std::shared_ptr<Lookup>& lookup) noexcept = 0;
  /// A lookup has not ended, not even a dropped one.
  virtual bool is_busy() const noexcept = 0;

 protected:
  ~NameService() = default;
};

}  // namespace sluice::event
