#include "event/handle.h"

#include <uv.h>

namespace sluice::event {
namespace {

template <class T>
void close_and_free(T* handle) noexcept {
  handle->data = nullptr;
  uv_close(reinterpret_cast<uv_handle_t*>(handle),
           [](uv_handle_t* closed) { delete reinterpret_cast<T*>(closed); });
}

}  // namespace

template <>
void Closer<uv_async_s>::operator()(uv_async_s* handle) const noexcept {
  close_and_free(handle);
}
template <>
void Closer<uv_timer_s>::operator()(uv_timer_s* handle) const noexcept {
  close_and_free(handle);
}
template <>
void Closer<uv_signal_s>::operator()(uv_signal_s* handle) const noexcept {
  close_and_free(handle);
}
template <>
void Closer<uv_poll_s>::operator()(uv_poll_s* handle) const noexcept {
  close_and_free(handle);
}
template <>
void Closer<uv_prepare_s>::operator()(uv_prepare_s* handle) const noexcept {
  close_and_free(handle);
}
template <>
void Closer<uv_check_s>::operator()(uv_check_s* handle) const noexcept {
  close_and_free(handle);
}
template <>
void Closer<uv_idle_s>::operator()(uv_idle_s* handle) const noexcept {
  close_and_free(handle);
}
template <>
void Closer<uv_stream_s>::operator()(uv_stream_s* handle) const noexcept {
  // A stream is allocated as the struct of its kind; see SocketStream and Listener.
  if (handle->type == UV_TCP) {
    close_and_free(reinterpret_cast<uv_tcp_t*>(handle));
  } else {
    close_and_free(reinterpret_cast<uv_pipe_t*>(handle));
  }
}

}  // namespace sluice::event
