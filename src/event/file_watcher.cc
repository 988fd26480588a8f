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

struct FileWatcher::Look {
  uv_fs_t uv{};
  FileWatcher* owner = nullptr;  // null once nobody waits for it
};

FileWatcher::FileWatcher(Loop& loop, std::string path, const FileState& known, Duration interval,
                         Delegate<void()> changed)
    : loop_(loop),
      path_(std::move(path)),
      changed_(changed),
      timer_(loop, bind<&FileWatcher::look>(this)),
      known_(known),
      latest_(known) {
  timer_.start_repeating(interval);
  timer_.unref();
}

FileWatcher::~FileWatcher() {
  if (look_ == nullptr) return;
  look_->owner = nullptr;
  uv_cancel(reinterpret_cast<uv_req_t*>(&look_->uv));
}

void FileWatcher::look() noexcept {
  if (look_ != nullptr) return;  // a file system that hangs
  auto look = std::make_unique<Look>();
  look->owner = this;
  look->uv.data = look.get();
  look_ = look.get();
  const auto on_done = [](uv_fs_t* uv) {
    const std::unique_ptr<Look> done(static_cast<Look*>(uv->data));
    const FileState state = state_in(*uv);
    uv_fs_req_cleanup(uv);
    if (done->owner == nullptr) return;
    done->owner->look_ = nullptr;
    done->owner->on_look(state);
  };
  if (uv_fs_stat(loop_.raw(), &look->uv, path_.c_str(), on_done) != 0) {
    look_ = nullptr;  // no memory: the next look may have some
    return;
  }
  (void)look.release();
}

void FileWatcher::on_look(const FileState& state) noexcept {
  const bool is_settled = std::exchange(latest_, state) == state;
  if (!is_settled || state == known_) return;
  known_ = state;
  changed_();
}

}  // namespace sluice::event
