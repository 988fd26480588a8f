// Reads and writes a broker's socket, with TLS on it or without.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "event/tls_stream.h"
#include "event/transfer.h"

namespace sluice::mqtt {

/// The socket, and the SSL where there is one, belong to the library that has opened them and
/// outlive this. Never blocks.
class ConnectionIo {
 public:
  /// `ssl` null: plain TCP.
  ConnectionIo(int fd, void* ssl) noexcept;

  int fd() const noexcept { return fd_; }
  bool has_tls() const noexcept { return tls_.has_value(); }
  bool is_handshaking() const noexcept { return tls_ && tls_->is_handshaking(); }
  /// Of TLS; Done at once where there is none.
  event::Transfer handshake() noexcept;
  /// Done: there may be more; where has_unread() says so, the socket gives no notice of it.
  event::Transfer read(std::span<char> to) noexcept;
  bool has_unread() const noexcept { return tls_ && tls_->has_unread(); }
  /// Pieces that one write() takes at most.
  static constexpr std::size_t kMostPieces = 64;
  /// What was not taken has to be offered again, in front of all else and in the same pieces.
  event::Transfer write(std::span<const std::string_view> pieces) noexcept;
  /// Nothing more is written.
  void close_notify() noexcept;

 private:
  event::Transfer write_records(std::span<const std::string_view> pieces) noexcept;

  int fd_;
  std::optional<event::TlsStream> tls_;
};

}  // namespace sluice::mqtt
