// A connection as a stream of bytes: reads can be paused, writes never block and lose nothing.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/ip_address.h"

namespace sluice::event {

/// The other end of an accepted connection.
struct Peer {
  std::string name;  ///< for the log: `10.0.0.7:51422`, `[2001:db8::1]:51422`, `unix`
  bool is_unix = false;
  std::optional<IpAddress> ip;  ///< nothing for a Unix socket, or where it could not be found out
};

/// Receives the events of a Stream. None of these is called from within a call to the stream.
class StreamHandler {
 public:
  /// Bytes were read. They lie in the loop's read buffer, valid until this returns.
  virtual void on_read(std::span<const char> bytes) noexcept = 0;
  /// The connection does not begin as it has to, for the reason `why`, a text for the log. Nothing
  /// was delivered before; what is read from here on is to be dropped.
  virtual void on_refused(std::string_view why) noexcept = 0;
  /// The peer has shut down its writing side; it may still read.
  virtual void on_end() noexcept = 0;
  /// The connection is broken; nothing more can be read or written.
  virtual void on_broken(int uv_error) noexcept = 0;
  /// Some or all of what write() could not send at once has been sent.
  virtual void on_sent() noexcept = 0;

 protected:
  ~StreamHandler() = default;
};

/// The other end of a connection, as far as this one can know it.
enum class PeerState {
  Open,
  HalfClosed,  ///< it has shut down its writing side; it may still read
  Gone,        ///< it was closed or reset: nothing more reaches it
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
  /// The memory that keeps them: that of one write stays until the socket has taken all of it.
  virtual std::size_t held() const noexcept = 0;

  /// Shuts the writing side down once all is sent.
  virtual void shut_down() noexcept = 0;

  /// Asks the kernel, also while reading is stopped and input lies unread. Not after shut_down().
  virtual PeerState peer_state() const noexcept = 0;
  virtual const Peer& peer() const noexcept = 0;
};

}  // namespace sluice::event
