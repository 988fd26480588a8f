#include "event/file_watcher.h"

#include <sys/stat.h>
#include <uv.h>

#include <memory>
#include <utility>

#include "event/loop.h"

namespace sluice::event {
namespace {

std::int64_t nanoseconds(const uv_timespec_t& time) noexcept {
  return static_cast<std::int64_t>(time.tv_sec) * 1000000000 + time.tv_nsec;
}

FileState state_in(const uv_fs_t& request) noexcept {
  if (request.result != 0) return {};
  const uv_stat_t& found = request.statbuf;
  return {.exists = true,
          .device = found.st_dev,
          .inode = found.st_ino,
          .size = found.st_size,
          .modified_ns = nanoseconds(found.st_mtim),
          .changed_ns = nanoseconds(found.st_ctim)};
}

}  // namespace

FileState FileState::of(const std::string& path) noexcept {
  uv_fs_t request{};
  uv_fs_stat(nullptr, &request, path.c_str(), nullptr);
  const FileState state = state_in(request);
  uv_fs_req_cleanup(&request);
  return state;
}

struct FileWatcher::Poll {
  uv_fs_t uv{};
  FileWatcher* owner = nullptr;  // null after it was destroyed
};

FileWatcher::FileWatcher(Loop& loop, std::string path, const FileState& known, Duration interval,
                         Delegate<void()> changed)
    : loop_(loop),
      path_(std::move(path)),
      changed_(changed),
      interval_(interval),
      timer_(loop, bind<&FileWatcher::poll>(this)),
      known_(known),
      latest_(known) {
  timer_.start_repeating(interval_);
  timer_.unref();
}

FileWatcher::~FileWatcher() {
  if (poll_ == nullptr) return;
  poll_->owner = nullptr;
  uv_cancel(reinterpret_cast<uv_req_t*>(&poll_->uv));
}

void FileWatcher::report_settled() noexcept {
  if (awaited_ != Awaited::Nothing) return;
  awaited_ = Awaited::FirstPoll;
  timer_.start_repeating(interval_);
  poll();
}

void FileWatcher::poll() noexcept {
  if (poll_ != nullptr) return;  // a file system that hangs
  auto poll = std::make_unique<Poll>();
  poll->owner = this;
  poll->uv.data = poll.get();
  poll_ = poll.get();
  const auto on_done = [](uv_fs_t* uv) {
    const std::unique_ptr<Poll> done(static_cast<Poll*>(uv->data));
    const FileState state = state_in(*uv);
    uv_fs_req_cleanup(uv);
    if (done->owner == nullptr) return;
    done->owner->poll_ = nullptr;
    done->owner->on_polled(state);
  };
  if (uv_fs_stat(loop_.raw(), &poll->uv, path_.c_str(), on_done) != 0) {
    poll_ = nullptr;  // no memory: the next poll may have some
    return;
  }
  (void)poll.release();
}

void FileWatcher::on_polled(const FileState& state) noexcept {
  const bool is_settled = std::exchange(latest_, state) == state;
  if (awaited_ == Awaited::FirstPoll) {
    awaited_ = Awaited::SecondPoll;
    return;
  }
  const bool is_awaited = awaited_ == Awaited::SecondPoll;
  if (!is_settled || (state == known_ && !is_awaited)) return;
  awaited_ = Awaited::Nothing;
  known_ = state;
  changed_();
}

}  // namespace sluice::event
