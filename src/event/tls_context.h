// OpenSSL's client side, shared by all connections to one host: trust, own certificate, server
// name. The connections go to numeric addresses, so the name is checked here.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"

struct ssl_ctx_st;
struct ssl_st;

namespace sluice::event {

/// Which certificates to accept, and which one to show.
struct TlsSettings {
  std::string host{};         ///< what the certificate must be for: a name or an address in digits
  std::string ca{};           ///< file of trusted authorities; empty: the system's
  std::string certificate{};  ///< file of the own chain; empty: none is shown
  std::string key{};          ///< file of its key
  bool verify = true;         ///< false: any certificate is accepted
  std::string peer = "the server";  ///< the other side, as error texts call it
  /// Asked in brackets where the port may not speak TLS at all; empty: nothing is.
  std::string plain_question{};
};

/// Why a handshake failed.
struct TlsFailure {
  std::string text{};  ///< empty: nothing was noted
  int error = 0;       ///< the errno of a socket that failed before TLS began, else 0
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

  /// What the last handshake on this context failed at. All handshakes run on the loop's thread, so
  /// what is asked right after a failure belongs to it.
  TlsFailure take_failure() noexcept;
  /// For a connection that ended with this errno before the handshake was over.
  std::string describe_end(int error) const;

 private:
  friend struct TlsCallbacks;
  explicit TlsContext(const TlsSettings& settings)
      : peer_(settings.peer), plain_question_(settings.plain_question) {}
  /// `text`, and the question whether the port speaks TLS.
  std::string ask_about_tls(std::string_view text) const;
  void note_step(const ssl_st* ssl, int error);

  ssl_ctx_st* context_ = nullptr;
  const std::string peer_;
  const std::string plain_question_;
  std::string server_name_;  // empty for an address in digits, which has no SNI
  TlsFailure failure_;
};

}  // namespace sluice::event
