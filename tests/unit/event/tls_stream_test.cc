// TLS over a socket that does not block, against a server in the same process.
#include "event/tls_stream.h"

#include <openssl/ssl.h>
#include <sys/socket.h>

#include <array>
#include <memory>
#include <string>
#include <utility>

#include "catch.h"
#include "event/tls_context.h"
#include "socket_pair.h"

namespace sluice::event {
namespace {

using State = Transfer::State;
using Context = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;
using Session = std::unique_ptr<SSL, decltype(&SSL_free)>;

/// Without certificates, and so without files.
void limit_to_anonymous(SSL_CTX* context) {
  REQUIRE(SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION) == 1);
  REQUIRE(SSL_CTX_set_cipher_list(context, "AECDH-AES128-SHA:@SECLEVEL=0") == 1);
}

/// Both ends of one connection: ours is what is tested.
struct Scene {
  /// Their end takes what has come and sends what it has to say.
  void step() {
    const std::string got = ends.receive();
    BIO_write(SSL_get_rbio(server.get()), got.data(), static_cast<int>(got.size()));
    std::array<char, 32768> piece{};
    for (int count = 0; (count = SSL_read(server.get(), piece.data(), piece.size())) > 0;)
      heard.append(piece.data(), static_cast<std::size_t>(count));
    send_pending();
  }
  void send_pending() {
    std::array<char, 65536> piece{};
    const int ready = BIO_read(SSL_get_wbio(server.get()), piece.data(), piece.size());
    if (ready > 0) ends.send({piece.data(), static_cast<std::size_t>(ready)});
  }
  /// Each in a record of its own.
  void say(const std::string& text) {
    REQUIRE(SSL_write(server.get(), text.data(), static_cast<int>(text.size())) > 0);
  }
  TlsStream& establish() {
    while (stream.handshake().state != State::Done)
      step();
    step();
    REQUIRE_FALSE(stream.is_handshaking());
    return stream;
  }

  SocketPair ends;
  std::unique_ptr<TlsContext> ours =
      TlsContext::make({.host = "127.0.0.1", .verify = false}).value();
  Context their_context{SSL_CTX_new(TLS_server_method()), SSL_CTX_free};
  Session client{nullptr, SSL_free};
  Session server{nullptr, SSL_free};
  std::string heard;
  TlsStream stream{prepare()};

 private:
  SSL* prepare() {
    limit_to_anonymous(ours->raw());
    limit_to_anonymous(their_context.get());
    client.reset(SSL_new(ours->raw()));
    server.reset(SSL_new(their_context.get()));
    REQUIRE(SSL_set_fd(client.get(), ends.ours()) == 1);
    SSL_set_connect_state(client.get());
    SSL_set_bio(server.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_accept_state(server.get());
    return client.get();
  }
};

void fill(const SocketPair& ends) {
  const std::array<char, 4096> bytes{};
  while (::send(ends.ours(), bytes.data(), bytes.size(), 0) > 0) {
  }
}

}  // namespace

TEST_CASE("a handshake waits for bytes, and for room where the socket is full", "[tls]") {
  Scene scene;
  CHECK(scene.stream.is_handshaking());
  SECTION("for bytes") {
    CHECK(scene.stream.handshake().state == State::WaitsReadable);
    scene.establish();
  }
  SECTION("for room") {
    fill(scene.ends);
    CHECK(scene.stream.handshake().state == State::WaitsWritable);
  }
}

TEST_CASE("a handshake whose other end is gone has failed", "[tls]") {
  Scene scene;
  CHECK(scene.stream.handshake().state == State::WaitsReadable);
  scene.ends.receive();  // what is left unread would make a reset of it
  scene.ends.close_theirs();
  const State state = scene.stream.handshake().state;
  CHECK((state == State::Ended || state == State::Failed));
  CHECK(scene.ours->take_failure() == "TLS handshake: the server closed the connection");
}

TEST_CASE("many records are read at once, and then there is nothing more", "[tls]") {
  Scene scene;
  TlsStream& stream = scene.establish();
  for (int i = 0; i < 100; ++i)
    scene.say("0123456789");
  scene.send_pending();
  std::array<char, 16384> buffer{};
  const Transfer got = stream.read(buffer);
  CHECK(got.bytes == 1000);
  CHECK(got.state == State::WaitsReadable);
  CHECK(std::string(buffer.data(), 12) == "012345678901");
}

TEST_CASE("a read that fills its buffer tells whether bytes are left behind", "[tls]") {
  Scene scene;
  TlsStream& stream = scene.establish();
  scene.say("0123456789");
  scene.say("abcdefghij");
  scene.send_pending();
  std::array<char, 6> buffer{};
  std::string got;
  for (int i = 0; i < 3; ++i) {
    const Transfer part = stream.read(buffer);
    CHECK(part.state == State::Done);
    CHECK(stream.has_unread());
    got.append(buffer.data(), part.bytes);
  }
  const Transfer last = stream.read(buffer);
  CHECK(last.state == State::WaitsReadable);
  got.append(buffer.data(), last.bytes);
  CHECK(got == "0123456789abcdefghij");
  CHECK_FALSE(stream.has_unread());
}

TEST_CASE("a write that the socket takes in part goes on from there, from anywhere in memory",
          "[tls]") {
  Scene scene;
  TlsStream& stream = scene.establish();
  const int small = 4096;
  REQUIRE(::setsockopt(scene.ends.ours(), SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)) == 0);
  std::string all;
  for (int i = 0; all.size() < 300'000; ++i)
    all += std::to_string(i) + ' ';
  std::string left = all;
  bool was_full = false;
  for (int turn = 0; !left.empty() && turn < 100'000; ++turn) {
    const std::string elsewhere = left;
    const Transfer put = stream.write(elsewhere);
    left.erase(0, put.bytes);
    CHECK(put.state == (left.empty() ? State::Done : State::WaitsWritable));
    was_full = was_full || put.state == State::WaitsWritable;
    scene.step();
  }
  scene.step();
  CHECK(was_full);
  CHECK(scene.heard == all);
}

TEST_CASE("an end is an end, announced or not", "[tls]") {
  Scene scene;
  TlsStream& stream = scene.establish();
  std::array<char, 100> buffer{};
  scene.say("last");
  SECTION("announced") {
    SSL_shutdown(scene.server.get());
    scene.send_pending();
  }
  SECTION("not announced") {
    scene.send_pending();
    scene.ends.close_theirs();
  }
  const Transfer got = stream.read(buffer);
  CHECK(got.bytes == 4);
  CHECK(got.state == State::Ended);
}

TEST_CASE("what is not TLS is told in words", "[tls]") {
  Scene scene;
  TlsStream& stream = scene.establish();
  scene.ends.send("220 ready for mail\r\n");
  std::array<char, 100> buffer{};
  const Transfer got = stream.read(buffer);
  CHECK(got.state == State::Failed);
  CHECK(got.text == "wrong version number");
}

TEST_CASE("closing tells the other side", "[tls]") {
  Scene scene;
  scene.establish().close_notify();
  scene.step();
  CHECK((SSL_get_shutdown(scene.server.get()) & SSL_RECEIVED_SHUTDOWN) != 0);
}

}  // namespace sluice::event
