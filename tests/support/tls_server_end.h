// The server's end of TLS connections, for simulated brokers. It holds bytes; its owner moves them
// to and from the socket. It contains none of sluice's code.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

struct ssl_ctx_st;
struct ssl_st;

namespace sluice::wire {

/// Shared by connections: a self-signed certificate, which clients must not verify.
class TlsServer {
 public:
  enum class Versions { Tls12, Tls13, Both };

  /// Throws std::runtime_error if OpenSSL fails.
  explicit TlsServer(Versions versions = Versions::Both);
  ~TlsServer();
  TlsServer(const TlsServer&) = delete;
  TlsServer& operator=(const TlsServer&) = delete;

 private:
  friend class TlsServerEnd;

  ssl_ctx_st* context_;
};

/// One connection. has_failed() reports the peer's errors, has_ended() its close_notify; calls at
/// the wrong time throw std::runtime_error. Not thread-safe.
class TlsServerEnd {
 public:
  /// `server` may be destroyed first.
  explicit TlsServerEnd(const TlsServer& server);
  ~TlsServerEnd();
  TlsServerEnd(const TlsServerEnd&) = delete;
  TlsServerEnd& operator=(const TlsServerEnd&) = delete;

  /// Takes bytes from the socket; decrypted ones are appended to `heard`.
  void feed(std::string_view bytes, std::string& heard);
  /// The next bytes for the socket, `most` at most.
  std::string take(std::size_t most);
  /// Call it after the handshake. Sends one record, or several full ones.
  void say(std::string_view text);
  /// Sends close_notify.
  void close_notify();

  bool has_failed() const { return has_failed_; }
  /// The peer has sent close_notify.
  bool has_ended() const;

  /// TLS 1.3 (RFC 8446, section 4.6.3): the peer has to answer before it continues reading.
  void ask_for_new_keys();
  /// TLS 1.2 (RFC 5246, section 7.4.1.1): the peer begins a handshake between its data.
  void ask_for_new_handshake();
  /// That handshake is complete.
  bool has_new_handshake() const;

 private:
  std::string client_random() const;

  ssl_st* ssl_;
  std::string first_random_;  // of the client, in the handshake before the requested one
  bool has_failed_ = false;
};

}  // namespace sluice::wire
