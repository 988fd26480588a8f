#include "event/socket_stream.h"

#include <poll.h>
#include <uv.h>

#include <algorithm>
#include <utility>

#include "event/loop.h"
#include "event/other_end.h"

namespace sluice::event {

/// A write in progress owns its bytes: the stream may be destroyed before libuv is done with them.
struct SocketStream::Write {
  uv_write_t uv{};
  SocketStream* owner = nullptr;
  std::string bytes;
};

SocketStream::SocketStream(Loop& loop, Handle<uv_stream_s> handle, Peer peer)
    : loop_(loop),
      handle_(std::move(handle)),
      peer_(std::move(peer)),
      read_size_(Loop::kReadBufferBytes) {
  handle_->data = this;
}

SocketStream::~SocketStream() {
  if (write_ != nullptr) write_->owner = nullptr;
}

void SocketStream::start_reading() noexcept {
  if (reading_) return;
  reading_ = true;
  const auto on_alloc = [](uv_handle_t* handle, std::size_t, uv_buf_t* buffer) {
    auto* self = static_cast<SocketStream*>(handle->data);
    if (self == nullptr) {
      *buffer = uv_buf_init(nullptr, 0);
      return;
    }
    const std::span<char> scratch = self->loop_.read_buffer();
    const std::size_t size = std::min(scratch.size(), self->read_size_);
    *buffer = uv_buf_init(scratch.data(), static_cast<unsigned>(size));
  };
  const auto on_read = [](uv_stream_t* stream, ssize_t count, const uv_buf_t* buffer) {
    auto* self = static_cast<SocketStream*>(stream->data);
    if (self == nullptr || count == 0) return;  // 0 is EAGAIN, not the end
    self->loop_.note_event();
    if (count > 0) {
      if (static_cast<std::size_t>(count) == buffer->len) self->loop_.note_unread();
      self->handler_->on_read({buffer->base, static_cast<std::size_t>(count)});
      return;
    }
    self->stop_reading();
    if (count == UV_EOF) {
      self->handler_->on_end();
    } else {
      self->handler_->on_broken(static_cast<int>(count));
    }
  };
  uv_read_start(handle_.get(), on_alloc, on_read);
}

void SocketStream::stop_reading() noexcept {
  if (!std::exchange(reading_, false)) return;
  uv_read_stop(handle_.get());
}

std::size_t SocketStream::unsent() const noexcept {
  return pending_.size() + uv_stream_get_write_queue_size(handle_.get());
}

std::size_t SocketStream::held() const noexcept {
  return pending_.size() + (write_ == nullptr ? 0 : write_->bytes.size());
}

void SocketStream::write(std::string_view bytes) noexcept {
  if (bytes.empty()) return;
  if (write_ != nullptr) {
    pending_.append(bytes);
    return;
  }
  // libuv only reads through the pointer.
  const uv_buf_t buffer =
      uv_buf_init(const_cast<char*>(bytes.data()), static_cast<unsigned>(bytes.size()));
  const int sent = uv_try_write(handle_.get(), &buffer, 1);
  if (sent > 0) bytes.remove_prefix(static_cast<std::size_t>(sent));
  if (bytes.empty()) return;
  // Full, or broken: an asynchronous write waits for room, or reports the error from the loop.
  pending_ = bytes;
  send_pending();
}

void SocketStream::send_pending() noexcept {
  auto write = std::make_unique<Write>();
  write->owner = this;
  write->bytes = std::exchange(pending_, {});
  write->uv.data = write.get();
  const uv_buf_t buffer =
      uv_buf_init(write->bytes.data(), static_cast<unsigned>(write->bytes.size()));
  const int status = uv_write(&write->uv, handle_.get(), &buffer, 1, [](uv_write_t* uv, int done) {
    const std::unique_ptr<Write> finished(static_cast<Write*>(uv->data));
    if (finished->owner != nullptr) finished->owner->on_write_done(done);
  });
  // uv_write fails at once only for a stream that was never connected or is shut down; then the
  // reading side reports what happened.
  if (status == 0) write_ = write.release();
}

void SocketStream::on_write_done(int status) noexcept {
  write_ = nullptr;
  if (status != 0) {
    stop_reading();
    handler_->on_broken(status);
    return;
  }
  if (!pending_.empty()) {
    send_pending();
  } else if (shut_down_wanted_) {
    shut_down();
  }
  handler_->on_sent();
}

void SocketStream::shut_down() noexcept {
  shut_down_wanted_ = true;
  if (write_ != nullptr || shut_down_begun_) return;
  shut_down_begun_ = true;
  auto* request = std::make_unique<uv_shutdown_t>().release();
  const int status = uv_shutdown(request, handle_.get(), [](uv_shutdown_t* done, int) {
    delete done;  // the peer may be gone already; the reading side reports it
  });
  if (status != 0) delete request;
}

PeerState SocketStream::peer_state() const noexcept {
  pollfd socket{.fd = -1, .events = POLLRDHUP, .revents = 0};
  uv_fileno(reinterpret_cast<const uv_handle_t*>(handle_.get()), &socket.fd);
  if (::poll(&socket, 1, 0) <= 0) return PeerState::Open;
  if ((socket.revents & (POLLERR | POLLHUP)) != 0) return PeerState::Gone;
  const bool is_closed = handle_->type == UV_TCP && is_other_end_closed(socket.fd);
  return is_closed ? PeerState::Gone : PeerState::HalfClosed;
}

}  // namespace sluice::event
