#include "event/signal.h"

#include <uv.h>

#include "event/loop.h"

namespace sluice::event {

Signal::Signal(Loop& loop, int number, Delegate<void()> arrived)
    : arrived_(arrived), handle_(new uv_signal_t) {
  uv_signal_init(loop.raw(), handle_.get());
  handle_->data = this;
  uv_signal_start(
      handle_.get(),
      [](uv_signal_t* handle, int) {
        if (auto* self = static_cast<Signal*>(handle->data)) self->arrived_();
      },
      number);
  uv_unref(reinterpret_cast<uv_handle_t*>(handle_.get()));
}

}  // namespace sluice::event
