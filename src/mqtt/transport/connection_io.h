// Reads and writes a broker's socket, with or without TLS.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "event/tls_stream.h"
#include "event/transfer.h"

namespace sluice::mqtt {

/// The library that opened the socket and the SSL object owns them; both outlive this. Never
/// blocks.
class ConnectionIo {
 public:
  /// `ssl` null: plain TCP.
  ConnectionIo(int fd, void* ssl) noexcept;

  int fd() const noexcept { return fd_; }
  bool has_tls() const noexcept { return tls_.has_value(); }
  bool is_handshaking() const noexcept { return tls_ && tls_->is_handshaking(); }
  /// Continues the TLS handshake; Done at once without TLS.
  event::Transfer handshake() noexcept;
  /// Done: there may be more. If has_unread(), the socket will not become readable for it.
  event::Transfer read(std::span<char> to) noexcept;
  bool has_unread() const noexcept { return tls_ && tls_->has_unread(); }
  /// At most this many pieces in one write().
  static constexpr std::size_t kMostPieces = 64;
  /// What was not taken has to be offered again first, in the same pieces.
  event::Transfer write(std::span<const std::string_view> pieces) noexcept;
  /// Tells the TLS peer that nothing more will be written.
  void close_notify() noexcept;

 private:
  event::Transfer write_records(std::span<const std::string_view> pieces) noexcept;

  int fd_;
  std::optional<event::TlsStream> tls_;
};

}  // namespace sluice::mqtt
