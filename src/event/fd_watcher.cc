#include "event/fd_watcher.h"

#include <uv.h>

#include <cassert>

#include "event/loop.h"

namespace sluice::event {

FdWatcher::FdWatcher(Loop& loop, int fd, Delegate<void(FdEvents)> ready)
    : loop_(loop), ready_(ready) {
  auto* raw = new uv_poll_t;
  const int status = uv_poll_init(loop.raw(), raw, fd);
  if (status != 0) {
    // UV_EEXIST: a watcher outlived its descriptor, which the class comment forbids.
    assert(status == 0);
    delete raw;
    return;
  }
  raw->data = this;
  handle_.reset(raw);
}

FdWatcher::~FdWatcher() {
  assert(!is_calling_);
}

void FdWatcher::release() noexcept {
  handle_.reset();
}

void FdWatcher::watch(FdEvents events) noexcept {
  if (handle_ == nullptr || events == watched_) return;
  watched_ = events;
  const int mask = (events.readable ? UV_READABLE : 0) | (events.writable ? UV_WRITABLE : 0);
  if (mask == 0) {
    uv_poll_stop(handle_.get());
    return;
  }
  uv_poll_start(handle_.get(), mask, [](uv_poll_t* handle, int status, int ready) {
    if (auto* self = static_cast<FdWatcher*>(handle->data)) self->on_ready(status, ready);
  });
}

void FdWatcher::on_ready(int status, int events) noexcept {
  loop_.note_event();
  FdEvents ready{.readable = (events & UV_READABLE) != 0, .writable = (events & UV_WRITABLE) != 0};
  if (status < 0) {
    watched_ = {};  // libuv has stopped the handle by now
    ready = {.readable = true, .writable = true};
  }
  is_calling_ = true;
  ready_(ready);
  is_calling_ = false;
}

}  // namespace sluice::event
