// OpenSSL's client side, shared by all connections to one host: trust, own certificate, server
// name. The connections go to numeric addresses, so the name is checked here.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "base/error.h"

struct ssl_ctx_st;

namespace sluice::event {

/// Which certificates to accept, and which one to show.
struct TlsSettings {
  std::string host{};         ///< what the certificate must be for: a name or an address in digits
  std::string ca{};           ///< file of trusted authorities; empty: the system's
  std::string certificate{};  ///< file of the own chain; empty: none is shown
  std::string key{};          ///< file of its key
  bool verify = true;         ///< false: any certificate is accepted
  std::string peer = "the server";  ///< the other side, as error texts call it
};

/// One SSL_CTX. Reads its files when made, so make it before the loop runs or off the loop.
class TlsContext {
 public:
  /// The error names the file and says what is wrong with it.
  static Result<std::unique_ptr<TlsContext>> make(const TlsSettings& settings);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  ssl_ctx_st* raw() const noexcept { return context_; }

  /// What the last handshake on this context failed at, in words; empty if nothing was noted. All
  /// handshakes run on the loop's thread, so what is asked right after a failure belongs to it.
  std::string take_failure() noexcept;

 private:
  friend struct TlsCallbacks;
  explicit TlsContext(std::string peer) : peer_(std::move(peer)) {}

  ssl_ctx_st* context_ = nullptr;
  const std::string peer_;
  std::string server_name_;  // empty for an address in digits, which has no SNI
  std::string failure_;
};

}  // namespace sluice::event
