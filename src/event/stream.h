// A connected stream socket: reads that can be paused, writes that never block and never lose.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "event/handle.h"

namespace sluice::event {

class Loop;

/// What the owner of a Stream is told. None of these is called from within a call to the stream.
class StreamHandler {
 public:
  /// Bytes have come. They lie in the loop's read buffer, valid until this returns.
  virtual void on_read(std::span<const char> bytes) noexcept = 0;
  /// The other side has shut down its writing side; it may still read.
  virtual void on_end() noexcept = 0;
  /// The connection is broken; nothing more can be read or written.
  virtual void on_broken(int uv_error) noexcept = 0;
  /// Some or all of what write() could not send at once has been sent.
  virtual void on_sent() noexcept = 0;

 protected:
  ~StreamHandler() = default;
};

/// One accepted TCP or Unix connection. Destroying it closes the socket at once; bytes not sent
/// yet are dropped. Not thread-safe.
class Stream {
 public:
  /// Takes a connected uv_tcp_t or uv_pipe_t. `peer` names the other side for the log.
  Stream(Loop& loop, Handle<uv_stream_s> handle, std::string peer);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  /// Must be called before anything else.
  void set_handler(StreamHandler* handler) noexcept { handler_ = handler; }

  /// Reading goes on until stop_reading(); both are cheap and idempotent.
  void start_reading() noexcept;
  void stop_reading() noexcept;
  /// How much one read takes at most: small for many clients, large amid a large request.
  void set_read_size(std::size_t bytes) noexcept;

  /// Sends now what the socket takes and keeps the rest, in order. Never fails by itself: a broken
  /// connection is reported by on_broken().
  void write(std::string_view bytes) noexcept;
  /// Bytes written but not taken by the socket yet.
  std::size_t unsent() const noexcept;

  /// Shuts the writing side down once all is sent.
  void shut_down() noexcept;

  const std::string& peer() const noexcept { return peer_; }

 private:
  struct Write;
  void send_pending() noexcept;
  void on_write_done(int status) noexcept;

  Loop& loop_;
  Handle<uv_stream_s> handle_;
  StreamHandler* handler_ = nullptr;
  std::string peer_;
  std::string pending_;     // behind the write that is under way
  Write* write_ = nullptr;  // owned by libuv until its callback
  std::size_t read_size_;
  bool reading_ = false;
  bool shut_down_wanted_ = false;
  bool shut_down_begun_ = false;
};

}  // namespace sluice::event
