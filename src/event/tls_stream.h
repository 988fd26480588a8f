// TLS over a connected socket, for an SSL that another library has made.
#pragma once

#include <span>
#include <string_view>

#include "event/transfer.h"

struct ssl_st;

namespace sluice::event {

/// Reads and writes one connection's TLS. It owns neither the SSL nor its socket; both outlive it,
/// and nothing else uses them meanwhile. Never blocks. Not thread-safe.
class TlsStream {
 public:
  /// `ssl` is an SSL of OpenSSL on a socket that does not block; its handshake may have begun.
  explicit TlsStream(void* ssl) noexcept;

  bool is_handshaking() const noexcept;
  /// Continues the handshake; Done when it is complete. The context knows why it failed.
  Transfer handshake() noexcept;
  /// Reads records until `to` is full or the socket has no more. Call it after the handshake.
  Transfer read(std::span<char> to) noexcept;
  /// After a read that returned Done: bytes are left for which the socket reports no event.
  bool has_unread() const noexcept;
  /// Writes records until all is taken or the socket is full. The rest has to be passed again
  /// before anything else; it may lie at another address.
  Transfer write(std::string_view bytes) noexcept;
  /// Sends close_notify, if the socket has room for it.
  void close_notify() noexcept;

 private:
  Transfer stopped(int result, std::size_t moved) const noexcept;

  ssl_st* ssl_;
};

}  // namespace sluice::event
