// The server's end of TLS connections, for stand-ins of a broker: it holds bytes, and whoever owns
// it carries them. Nothing of sluice's own code is in it.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

struct ssl_ctx_st;
struct ssl_st;

namespace sluice::wire {

/// What connections share: a certificate that has signed itself, so that clients must not verify
/// it.
class TlsServer {
 public:
  enum class Versions { Tls12, Tls13, Both };

  /// Throws std::runtime_error where OpenSSL cannot.
  explicit TlsServer(Versions versions = Versions::Both);
  ~TlsServer();
  TlsServer(const TlsServer&) = delete;
  TlsServer& operator=(const TlsServer&) = delete;

 private:
  friend class TlsServerEnd;

  ssl_ctx_st* context_;
};

/// One connection. Errors of the other side are told by has_failed(), and its end by has_ended();
/// what this side does at the wrong time throws std::runtime_error. Not thread-safe.
class TlsServerEnd {
 public:
  /// `server` may end first.
  explicit TlsServerEnd(const TlsServer& server);
  ~TlsServerEnd();
  TlsServerEnd(const TlsServerEnd&) = delete;
  TlsServerEnd& operator=(const TlsServerEnd&) = delete;

  /// Takes what came from the socket; what was said in it is added to `heard`.
  void feed(std::string_view bytes, std::string& heard);
  /// The next bytes for the socket, at most so many.
  std::string take(std::size_t most);
  /// Needs the handshake. One record, or full ones where it is longer.
  void say(std::string_view text);
  /// Nothing more is said.
  void close_notify();

  bool has_failed() const { return has_failed_; }
  /// The other side has announced that it says nothing more.
  bool has_ended() const;

  /// TLS 1.3 (RFC 8446, section 4.6.3): the other side has to answer before it reads on.
  void ask_for_new_keys();
  /// TLS 1.2 (RFC 5246, section 7.4.1.1): the other side begins a handshake amid its data.
  void ask_for_new_handshake();
  /// That one is over.
  bool has_new_handshake() const;

 private:
  std::string client_random() const;

  ssl_st* ssl_;
  std::string first_random_;  // of the client, in the handshake before the one that was asked for
  bool has_failed_ = false;
};

}  // namespace sluice::wire
