// OpenSSL over memory.
#include "tls_server_end.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <stdexcept>

namespace sluice::wire {
namespace {

constexpr long kValid_s = 3600;

void require(bool holds, const char* what) {
  if (holds) return;
  ERR_clear_error();
  throw std::runtime_error(std::string("TLS: ") + what);
}

template <auto Free>
struct Deleter {
  template <class Value>
  void operator()(Value* value) const {
    Free(value);
  }
};

void show_certificate(SSL_CTX* context) {
  const std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>> key(EVP_EC_gen("P-256"));
  const std::unique_ptr<X509, Deleter<X509_free>> certificate(X509_new());
  require(key && certificate, "no key");
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -kValid_s);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), kValid_s);
  require(X509_set_pubkey(certificate.get(), key.get()) == 1 &&
              X509_sign(certificate.get(), key.get(), EVP_sha256()) > 0 &&
              SSL_CTX_use_certificate(context, certificate.get()) == 1 &&
              SSL_CTX_use_PrivateKey(context, key.get()) == 1,
          "no certificate");
}

}  // namespace

TlsServer::TlsServer(Versions versions) : context_(SSL_CTX_new(TLS_server_method())) {
  require(context_ != nullptr, "no context");
  const int least = versions == Versions::Tls13 ? TLS1_3_VERSION : TLS1_2_VERSION;
  const int most = versions == Versions::Tls12 ? TLS1_2_VERSION : TLS1_3_VERSION;
  SSL_CTX_set_min_proto_version(context_, least);
  SSL_CTX_set_max_proto_version(context_, most);
  show_certificate(context_);
}

TlsServer::~TlsServer() {
  SSL_CTX_free(context_);
}

TlsServerEnd::TlsServerEnd(const TlsServer& server) : ssl_(SSL_new(server.context_)) {
  require(ssl_ != nullptr, "no connection");
  SSL_set_bio(ssl_, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  SSL_set_accept_state(ssl_);
}

TlsServerEnd::~TlsServerEnd() {
  SSL_free(ssl_);
}

void TlsServerEnd::feed(std::string_view bytes, std::string& heard) {
  ERR_clear_error();
  if (!bytes.empty()) BIO_write(SSL_get_rbio(ssl_), bytes.data(), static_cast<int>(bytes.size()));
  std::array<char, 16384> piece;
  int count = 0;
  while ((count = SSL_read(ssl_, piece.data(), piece.size())) > 0)
    heard.append(piece.data(), static_cast<std::size_t>(count));
  const int error = SSL_get_error(ssl_, count);
  has_failed_ = error != SSL_ERROR_WANT_READ && error != SSL_ERROR_ZERO_RETURN;
}

std::string TlsServerEnd::take(std::size_t most) {
  BIO* const ready = SSL_get_wbio(ssl_);
  std::string bytes(std::min(most, BIO_ctrl_pending(ready)), '\0');
  if (!bytes.empty()) BIO_read(ready, bytes.data(), static_cast<int>(bytes.size()));
  return bytes;
}

void TlsServerEnd::say(std::string_view text) {
  if (text.empty()) return;
  require(SSL_write(ssl_, text.data(), static_cast<int>(text.size())) > 0, "cannot write");
}

void TlsServerEnd::close_notify() {
  SSL_shutdown(ssl_);
  ERR_clear_error();
}

bool TlsServerEnd::has_ended() const {
  return (SSL_get_shutdown(ssl_) & SSL_RECEIVED_SHUTDOWN) != 0;
}

void TlsServerEnd::ask_for_new_keys() {
  require(SSL_key_update(ssl_, SSL_KEY_UPDATE_REQUESTED) == 1 && SSL_do_handshake(ssl_) == 1,
          "cannot ask for new keys");
}

std::string TlsServerEnd::client_random() const {
  std::string random(SSL3_RANDOM_SIZE, '\0');
  SSL_get_client_random(ssl_, reinterpret_cast<unsigned char*>(random.data()), random.size());
  return random;
}

bool TlsServerEnd::has_new_handshake() const {
  return SSL_is_init_finished(ssl_) == 1 && client_random() != first_random_;
}

void TlsServerEnd::ask_for_new_handshake() {
  first_random_ = client_random();
  require(SSL_renegotiate(ssl_) == 1 && SSL_do_handshake(ssl_) == 1,
          "cannot ask for a new handshake");
}

}  // namespace sluice::wire
