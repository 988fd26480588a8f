// An accepted connection as bytes in and out, plain or over TLS.
#pragma once

#include <openssl/ssl.h>
#include <sys/types.h>

#include <cstddef>
#include <memory>
#include <string_view>

namespace sluice::bench {

using TlsContext = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;

/// A server with a certificate of its own for P-256, made now and signed by itself: a client has to
/// trust any. Null where that fails.
TlsContext make_tls_context();

/// Owns the socket. The TLS handshake is part of the first reads.
class Channel {
 public:
  /// Plain without `context`.
  Channel(int socket, SSL_CTX* context);
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  int socket() const { return socket_; }

  /// As recv() and send() are: how many bytes, 0 at the end, or -1 with errno, which is EAGAIN
  /// where there is nothing yet or no room. Reading takes room for two records (32 KiB) at least.
  ssize_t read(char* to, std::size_t most);
  ssize_t write(std::string_view bytes);

 private:
  ssize_t failure(int result) const;

  int socket_;
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl_;
};

}  // namespace sluice::bench
