// Lifetime of a libuv handle as a type. Closing is asynchronous: the struct outlives its owner
// until libuv's close callback frees it, so the owner may be destroyed at any moment.
#pragma once

#include <memory>

struct uv_loop_s;
struct uv_async_s;
struct uv_timer_s;
struct uv_signal_s;
struct uv_poll_s;
struct uv_prepare_s;
struct uv_check_s;
struct uv_idle_s;
struct uv_stream_s;

namespace sluice::event {

/// Deleter: detaches the owner, closes, and frees the struct in the close callback.
template <class T>
struct Closer {
  void operator()(T* handle) const noexcept;
};

template <class T>
using Handle = std::unique_ptr<T, Closer<T>>;

}  // namespace sluice::event
