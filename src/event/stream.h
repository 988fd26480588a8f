// A connection as a stream of bytes: reads can be paused, writes never block and lose nothing.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace sluice::event {

/// Receives the events of a Stream. None of these is called from within a call to the stream.
class StreamHandler {
 public:
  /// Bytes were read. They lie in the loop's read buffer, valid until this returns.
  virtual void on_read(std::span<const char> bytes) noexcept = 0;
  /// The peer has shut down its writing side; it may still read.
  virtual void on_end() noexcept = 0;
  /// The connection is broken; nothing more can be read or written.
  virtual void on_broken(int uv_error) noexcept = 0;
  /// Some or all of what write() could not send at once has been sent.
  virtual void on_sent() noexcept = 0;

 protected:
  ~StreamHandler() = default;
};

/// One accepted connection. Destroying it closes the socket at once; bytes not sent yet are
/// dropped. Not thread-safe.
class Stream {
 public:
  virtual ~Stream() = default;

  /// Must be called before anything else.
  virtual void set_handler(StreamHandler* handler) noexcept = 0;

  /// Reading goes on until stop_reading(); both are cheap and idempotent.
  virtual void start_reading() noexcept = 0;
  virtual void stop_reading() noexcept = 0;
  /// The maximum size of one read: small for many clients, large within a large request.
  virtual void set_read_size(std::size_t bytes) noexcept = 0;

  /// Sends now what the socket takes and keeps the rest, in order. Never fails by itself: a broken
  /// connection is reported by on_broken().
  virtual void write(std::string_view bytes) noexcept = 0;
  /// Bytes written but not taken by the socket yet.
  virtual std::size_t unsent() const noexcept = 0;

  /// Shuts the writing side down once all is sent.
  virtual void shut_down() noexcept = 0;

  /// The peer's name for the log.
  virtual const std::string& peer() const noexcept = 0;
};

}  // namespace sluice::event
