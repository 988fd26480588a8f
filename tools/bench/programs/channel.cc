// Reads and writes in large pieces also over TLS, so that a broker which speaks it costs little.
#include "channel.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace sluice::bench {
namespace {

constexpr std::size_t kReadBytes = 1 << 17;  // of records, from the socket at once
constexpr std::size_t kRecordBytes = SSL3_RT_MAX_PLAIN_LENGTH;
constexpr long kDay = 86400;

bool use_own_certificate(SSL_CTX* context) {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"),
                                                                &EVP_PKEY_free);
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(), &X509_free);
  if (key == nullptr || certificate == nullptr) return false;
  X509* const it = certificate.get();
  constexpr unsigned char kName[] = "sluice-bench-sink";
  X509_NAME* const name = X509_get_subject_name(it);
  return X509_set_version(it, X509_VERSION_3) == 1 &&
         ASN1_INTEGER_set(X509_get_serialNumber(it), 1) == 1 &&
         X509_gmtime_adj(X509_getm_notBefore(it), -kDay) != nullptr &&
         X509_gmtime_adj(X509_getm_notAfter(it), kDay) != nullptr &&
         X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, kName, -1, -1, 0) == 1 &&
         X509_set_issuer_name(it, name) == 1 && X509_set_pubkey(it, key.get()) == 1 &&
         X509_sign(it, key.get(), EVP_sha256()) > 0 && SSL_CTX_use_certificate(context, it) == 1 &&
         SSL_CTX_use_PrivateKey(context, key.get()) == 1;
}

}  // namespace

TlsContext make_tls_context() {
  TlsContext context(SSL_CTX_new(TLS_server_method()), &SSL_CTX_free);
  if (context == nullptr || !use_own_certificate(context.get())) return {nullptr, &SSL_CTX_free};
  SSL_CTX_set_mode(context.get(),
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  return context;
}

Channel::Channel(int socket, SSL_CTX* context)
    : socket_(socket), ssl_(context != nullptr ? SSL_new(context) : nullptr, &SSL_free) {
  if (ssl_ == nullptr) return;
  fcntl(socket, F_SETFL, O_NONBLOCK);
  SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new_socket(socket, BIO_NOCLOSE));
  SSL_set_accept_state(ssl_.get());
}

Channel::~Channel() {
  ::close(socket_);
}

/// What comes is read from the socket here, not by OpenSSL, which would take two calls for a
/// record, or keep some of what it has read where epoll does not see it.
ssize_t Channel::read(char* to, std::size_t most) {
  if (ssl_ == nullptr) return ::recv(socket_, to, most, MSG_DONTWAIT);
  std::array<char, kReadBytes> records;
  const ssize_t came =
      ::recv(socket_, records.data(), std::min(records.size(), most - kRecordBytes), MSG_DONTWAIT);
  if (came <= 0) return came;
  BIO_write(SSL_get_rbio(ssl_.get()), records.data(), static_cast<int>(came));
  std::size_t all = 0;
  while (true) {  // a record at a time; all fit, with one that began in an earlier read
    std::size_t got = 0;
    const int result = SSL_read_ex(ssl_.get(), to + all, most - all, &got);
    if (result != 1) return all > 0 ? static_cast<ssize_t>(all) : failure(result);
    all += got;
  }
}

ssize_t Channel::write(std::string_view bytes) {
  if (ssl_ == nullptr) {
    return ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  std::size_t done = 0;
  const int result = SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &done);
  return result == 1 ? static_cast<ssize_t>(done) : failure(result);
}

ssize_t Channel::failure(int result) const {
  const int error = SSL_get_error(ssl_.get(), result);
  ERR_clear_error();
  if (error == SSL_ERROR_ZERO_RETURN) return 0;
  errno = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? EAGAIN : EPIPE;
  return -1;
}

}  // namespace sluice::bench
