// Tells when a file has become another one, by looking at it now and then.
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

  /// Looks now, and may block.
  static FileState of(const std::string& path) noexcept;
};

/// Sees what is written in place, renamed over, or swapped behind a symbolic link (so are files of
/// a Kubernetes ConfigMap), also over a network file system: notifications of the kernel miss some
/// of these. A state counts once two looks in a row have found it, so that a file is not taken
/// while it is being written. Looks never block the loop.
class FileWatcher {
 public:
  /// `known`: the state that needs no telling. Looks every `interval`.
  FileWatcher(Loop& loop, std::string path, const FileState& known, Duration interval,
              Delegate<void()> changed);
  ~FileWatcher();
  FileWatcher(const FileWatcher&) = delete;
  FileWatcher& operator=(const FileWatcher&) = delete;

  /// This state has been dealt with.
  void set_known(const FileState& state) noexcept { known_ = state; }

 private:
  struct Look;

  void look() noexcept;
  void on_look(const FileState& state) noexcept;

  Loop& loop_;
  const std::string path_;
  Delegate<void()> changed_;
  Timer timer_;
  FileState known_;
  FileState latest_;      // as the latest look found it
  Look* look_ = nullptr;  // owned by libuv until its callback
};

}  // namespace sluice::event
