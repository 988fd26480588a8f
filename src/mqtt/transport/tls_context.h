// OpenSSL's client side, shared by all connections of one broker: trust, own certificate, server
// name. The connections go to numeric addresses, so the name is checked here and not by the
// library.
#pragma once

#include <memory>
#include <string>

#include "base/error.h"
#include "config/config.h"

struct ssl_ctx_st;

namespace sluice::mqtt {

/// One SSL_CTX. Reads its files when made, so make it before the loop runs or off the loop.
class TlsContext {
 public:
  /// The error names the file and says what is wrong with it.
  static Result<std::unique_ptr<TlsContext>> make(const config::Broker& broker);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  ssl_ctx_st* raw() const noexcept { return context_; }

  /// What the last handshake on this context failed at, in words; empty if nothing was noted. All
  /// handshakes run on the loop's thread, so what is asked right after a failure belongs to it.
  std::string take_failure() noexcept;

 private:
  friend struct TlsCallbacks;
  TlsContext() = default;

  ssl_ctx_st* context_ = nullptr;
  std::string server_name_;  // empty for an address in digits, which has no SNI
  std::string failure_;
};

/// The state of one connection's handshake; `ssl` is the library's SSL, null without TLS.
struct TlsState {
  bool handshaking = false;
  bool wants_write = false;  ///< waits for room, not for bytes
  bool broken = false;       ///< the transport under it is gone
};
TlsState tls_state(void* ssl) noexcept;

}  // namespace sluice::mqtt
