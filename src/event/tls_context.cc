#include "event/tls_context.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/foreign_protocol.h"
#include "event/resolver.h"

namespace sluice::event {
namespace {

const char* reason_of(unsigned long code) noexcept {
  const char* reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : "unknown reason";
}

std::string last_error() {
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  return reason_of(code);
}

Result<void> set_trust(SSL_CTX* context, const TlsSettings& settings) {
  if (settings.ca.empty()) {
    if (SSL_CTX_set_default_verify_paths(context) == 1) return {};
    return Error{fmt::format("the system's certificate authorities: {}", last_error())};
  }
  if (SSL_CTX_load_verify_locations(context, settings.ca.c_str(), nullptr) == 1) return {};
  return Error{fmt::format("certificate authority {}: {}", settings.ca, last_error())};
}

Result<void> set_own_certificate(SSL_CTX* context, const TlsSettings& settings) {
  if (settings.certificate.empty()) return {};
  if (SSL_CTX_use_certificate_chain_file(context, settings.certificate.c_str()) != 1) {
    return Error{fmt::format("certificate {}: {}", settings.certificate, last_error())};
  }
  if (SSL_CTX_use_PrivateKey_file(context, settings.key.c_str(), SSL_FILETYPE_PEM) != 1) {
    return Error{fmt::format("key {}: {}", settings.key, last_error())};
  }
  return {};
}

/// Without it a trusted certificate of any host would be accepted.
bool expect_host(SSL_CTX* context, const std::string& host) {
  X509_VERIFY_PARAM* expected = SSL_CTX_get0_param(context);
  if (!Resolver::is_numeric(host)) {
    return X509_VERIFY_PARAM_set1_host(expected, host.c_str(), host.size()) == 1;
  }
  const std::string address = host.substr(0, host.find('%'));  // no certificate names an interface
  return X509_VERIFY_PARAM_set1_ip_asc(expected, address.c_str()) == 1;
}

/// Whether the last operation on the socket only found no bytes, or no room.
bool is_waiting(const SSL* ssl) noexcept {
  return BIO_should_retry(SSL_get_rbio(ssl)) != 0;  // a bit of the BIO's flags, not 1
}

/// The name of an alert; OpenSSL 3.0 does not know this one of TLS 1.3.
const char* name_of_alert(int alert) noexcept {
  const bool is_new = (alert & 0xff) == SSL_AD_CERTIFICATE_REQUIRED;
  return is_new ? "certificate required" : SSL_alert_desc_string_long(alert);
}

}  // namespace

std::string TlsContext::ask_about_tls(std::string_view text) const {
  return plain_question_.empty() ? std::string(text)
                                 : fmt::format("{} ({})", text, plain_question_);
}

/// What a step of the handshake failed at, if it does not only wait. `error`: the socket's.
void TlsContext::note_step(const SSL* ssl, int error) {
  const unsigned long code = ERR_peek_error();
  if (code == 0 && is_waiting(ssl)) return;
  const bool is_closed =
      code == 0 ? error == 0 : ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
  if (is_closed) {
    failure_ = {ask_about_tls(fmt::format("TLS handshake: {} closed the connection", peer_))};
  } else if (code != 0) {
    failure_ = {fmt::format("TLS handshake: {}", reason_of(code))};
  } else if (SSL_want_write(ssl)) {
    // A write fails first where TCP could not connect: that is not a matter of TLS.
    failure_ = {std::strerror(error), error};
  } else {
    failure_ = {describe_end(error)};
  }
}

std::string TlsContext::describe_end(int error) const {
  return ask_about_tls(fmt::format("TLS handshake: {}", std::strerror(error)));
}

/// What OpenSSL calls back. Only records.
struct TlsCallbacks {
  static TlsContext* context_of(const SSL* ssl) noexcept {
    return static_cast<TlsContext*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
  }

  static int on_verify(int ok, X509_STORE_CTX* store) noexcept {
    if (ok == 1) return ok;
    const auto* ssl = static_cast<const SSL*>(
        X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
    TlsContext* self = context_of(ssl);
    const char* why = X509_verify_cert_error_string(X509_STORE_CTX_get_error(store));
    self->failure_ = {fmt::format("TLS: {}'s certificate was not accepted: {}", self->peer_, why)};
    return ok;
  }

  static void on_info(const SSL* ssl, int where, int value) noexcept {
    TlsContext* self = context_of(ssl);
    if ((where & SSL_CB_HANDSHAKE_START) != 0 && !self->server_name_.empty()) {
      // The library that connects knows only the numeric address; the name has to be put in here.
      // (The function's own macro hides a C cast, hence SSL_ctrl.)
      SSL_ctrl(const_cast<SSL*>(ssl), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
               self->server_name_.data());
    }
    if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT && (value >> 8) == SSL3_AL_FATAL) {
      self->failure_ = {fmt::format("TLS: {} refused the handshake or our certificate: {}",
                                    self->peer_, name_of_alert(value))};
    }
    if ((where & SSL_CB_CONNECT_EXIT) == SSL_CB_CONNECT_EXIT && value <= 0 &&
        self->failure_.text.empty()) {
      self->note_step(ssl, errno);
    }
  }

  /// OpenSSL itself would call it a wrong version number. `bytes`: the header of a record.
  static void on_message(int is_ours, int, int type, const void* bytes, std::size_t size, SSL* ssl,
                         void*) noexcept {
    const bool is_first =
        is_ours == 0 && type == SSL3_RT_HEADER && SSL_get_state(ssl) == TLS_ST_CW_CLNT_HELLO;
    if (!is_first) return;
    const std::string_view header(static_cast<const char*>(bytes), size);
    if (is_tls_record(header)) return;
    TlsContext* self = context_of(ssl);
    const std::string_view protocol = protocol_of(header);
    self->failure_ = {protocol.empty() ? self->ask_about_tls("the port does not speak TLS")
                                       : fmt::format("the port speaks {}, not TLS", protocol)};
  }
};

Result<std::unique_ptr<TlsContext>> TlsContext::make(const TlsSettings& settings) {
  std::unique_ptr<TlsContext> made(new TlsContext(settings));
  made->context_ = SSL_CTX_new(TLS_client_method());
  if (made->context_ == nullptr) return Error{fmt::format("OpenSSL: {}", last_error())};
  SSL_CTX* context = made->context_;
  SSL_CTX_set_app_data(context, made.get());
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  if (Result<void> done = set_trust(context, settings); !done) return done.error();
  if (Result<void> done = set_own_certificate(context, settings); !done) return done.error();
  SSL_CTX_set_info_callback(context, TlsCallbacks::on_info);
  SSL_CTX_set_msg_callback(context, TlsCallbacks::on_message);
  if (settings.verify) {
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, TlsCallbacks::on_verify);
  } else {
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nullptr);
  }
  if (!expect_host(context, settings.host)) {
    return Error{fmt::format("certificates cannot be checked for host {}", settings.host)};
  }
  if (!Resolver::is_numeric(settings.host)) made->server_name_ = settings.host;
  return made;
}

TlsContext::~TlsContext() {
  SSL_CTX_free(context_);
}

TlsFailure TlsContext::take_failure() noexcept {
  return std::exchange(failure_, {});
}

}  // namespace sluice::event
