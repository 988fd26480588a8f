// TLS over a connected socket, for an SSL that another library has made.
#pragma once

#include <span>
#include <string_view>

#include "event/transfer.h"

struct ssl_st;

namespace sluice::event {

/// One connection's TLS. The SSL and its socket are not its own and outlive it;
/// nothing else reads or writes meanwhile. Never blocks. Not thread-safe.
class TlsStream {
 public:
  /// `ssl` is an SSL of OpenSSL on a socket that does not block; its handshake may have begun.
  explicit TlsStream(void* ssl) noexcept;

  bool is_handshaking() const noexcept;
  /// Goes on with the handshake; Done when it is over. What it failed at is told by the context.
  Transfer handshake() noexcept;
  /// Reads records until `to` is full or there is nothing more to be had. Needs the handshake.
  Transfer read(std::span<char> to) noexcept;
  /// A read that said Done has left bytes behind of which the socket gives no notice.
  bool has_unread() const noexcept;
  /// Writes records until all is taken or there is no room. What it did not take has to be offered
  /// again, in front of all else, from wherever it lies then.
  Transfer write(std::string_view bytes) noexcept;
  /// Tells the other side that nothing more comes, if there is room for that.
  void close_notify() noexcept;

 private:
  Transfer stopped(int result, std::size_t moved) const noexcept;

  ssl_st* ssl_;
};

}  // namespace sluice::event
