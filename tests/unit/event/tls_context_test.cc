// TLS: how the state of a handshake is read, and what a certificate is checked for.
#include "event/tls_context.h"

#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <sys/socket.h>

#include <array>
#include <memory>
#include <string>

#include "catch.h"
#include "socket_pair.h"

namespace sluice::event {
namespace {

using Context = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;
using Session = std::unique_ptr<SSL, decltype(&SSL_free)>;

/// A client's handshake on one end of a pair of sockets.
struct Handshake {
  Handshake() {
    REQUIRE(SSL_set_fd(session.get(), ends.ours()) == 1);
    SSL_set_connect_state(session.get());
  }
  void step() { REQUIRE(SSL_do_handshake(session.get()) < 0); }
  void fill() {
    const std::array<char, 4096> bytes{};
    while (::send(ends.ours(), bytes.data(), bytes.size(), 0) > 0) {
    }
  }
  void hang_up() { ends.close_theirs(); }
  TlsState state() const { return tls_state(session.get()); }

  SocketPair ends;
  Context context{SSL_CTX_new(TLS_client_method()), SSL_CTX_free};
  Session session{SSL_new(context.get()), SSL_free};
};

}  // namespace

TEST_CASE("a handshake must be able to write before its first step, and waits for bytes after it",
          "[tls]") {
  Handshake handshake;
  CHECK(handshake.state().handshaking);
  CHECK(handshake.state().wants_write);
  CHECK_FALSE(handshake.state().broken);
  handshake.step();
  CHECK(handshake.state().handshaking);
  CHECK_FALSE(handshake.state().wants_write);
  CHECK_FALSE(handshake.state().broken);
}

TEST_CASE("a handshake that finds its socket full waits for room", "[tls]") {
  Handshake handshake;
  handshake.fill();
  handshake.step();
  CHECK(handshake.state().wants_write);
  CHECK_FALSE(handshake.state().broken);
}

TEST_CASE("a handshake whose other end is gone is broken", "[tls]") {
  Handshake handshake;
  handshake.step();
  handshake.hang_up();
  handshake.step();
  CHECK(handshake.state().broken);
}

TEST_CASE("a certificate is checked for an address without the interface behind it", "[tls]") {
  const auto context = TlsContext::make({.host = "fe80::1%eth0"}).value();
  X509_VERIFY_PARAM* expected = SSL_CTX_get0_param(context->raw());
  char* address = X509_VERIFY_PARAM_get1_ip_asc(expected);
  REQUIRE(address != nullptr);
  CHECK(std::string(address) == "FE80:0:0:0:0:0:0:1");
  OPENSSL_free(address);
}

}  // namespace sluice::event
