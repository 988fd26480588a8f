// Detects changes of a file by polling it.
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"
#include "base/delegate.h"
#include "event/timer.h"

namespace sluice::event {

class Loop;

/// What tells one state of a file from another without reading it: links are followed, so one that
/// points elsewhere makes another file.
struct FileState {
  bool exists = false;
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t size = 0;
  std::int64_t modified_ns = 0;
  std::int64_t changed_ns = 0;
  bool operator==(const FileState&) const = default;

  /// Calls stat() now, and may block.
  static FileState of(const std::string& path) noexcept;
};

/// Sees what is written in place, renamed over, or swapped behind a symbolic link (so are files of
/// a Kubernetes ConfigMap), also over a network file system: notifications of the kernel miss some
/// of these. A state counts once two polls in a row have found it, so that a file is not read
/// while it is being written. Polls never block the loop.
class FileWatcher {
 public:
  /// `known`: the state that is not reported. Polls every `interval`.
  FileWatcher(Loop& loop, std::string path, const FileState& known, Duration interval,
              Delegate<void()> changed);
  ~FileWatcher();
  FileWatcher(const FileWatcher&) = delete;
  FileWatcher& operator=(const FileWatcher&) = delete;

  /// Polls now, and reports the file as soon as two polls from now on, an interval apart, have
  /// found the same, be it changed or not. While that is awaited, nothing begins again.
  void report_settled() noexcept;

  /// Makes this the state that is not reported.
  void set_known(const FileState& state) noexcept { known_ = state; }

 private:
  struct Poll;

  /// What report_settled() waits for.
  enum class Awaited { Nothing, FirstPoll, SecondPoll };

  void poll() noexcept;
  void on_polled(const FileState& state) noexcept;

  Loop& loop_;
  const std::string path_;
  Delegate<void()> changed_;
  const Duration interval_;
  Timer timer_;
  FileState known_;
  FileState latest_;  // as the latest poll found it
  Awaited awaited_ = Awaited::Nothing;
  Poll* poll_ = nullptr;  // owned by libuv until its callback
};

}  // namespace sluice::event
