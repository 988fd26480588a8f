// TLS over a non-blocking socket, against a server in the same process.
#include "event/tls_stream.h"

#include <openssl/ssl.h>
#include <sys/socket.h>

#include <array>
#include <csignal>
#include <memory>
#include <string>

#include "catch.h"
#include "event/tls_context.h"
#include "socket_pair.h"
#include "tls_server_end.h"

namespace sluice::event {
namespace {

using State = Transfer::State;
/// Both ends of one connection; the client's end is under test.
struct Scene {
  explicit Scene(wire::TlsServer::Versions versions = wire::TlsServer::Versions::Tls12)
      : shared(versions) {
    std::signal(SIGPIPE, SIG_IGN);  // OpenSSL may write after the peer has closed
  }

  /// The server's end receives what has come and sends its answers.
  void step() {
    server.feed(ends.receive(), heard);
    send_pending();
  }
  void send_pending() {
    if (const std::string bytes = server.take(65536); !bytes.empty()) ends.send(bytes);
  }
  TlsStream& establish() {
    while (stream.handshake().state != State::Done)
      step();
    step();
    REQUIRE_FALSE(stream.is_handshaking());
    return stream;
  }

  SocketPair ends;
  wire::TlsServer shared;
  wire::TlsServerEnd server{shared};
  std::string heard;
  std::unique_ptr<TlsContext> ours =
      TlsContext::make({.host = "127.0.0.1", .verify = false}).value();
  std::unique_ptr<SSL, decltype(&SSL_free)> client{SSL_new(ours->raw()), SSL_free};
  TlsStream stream{prepare()};

 private:
  SSL* prepare() {
    REQUIRE(SSL_set_fd(client.get(), ends.ours()) == 1);
    SSL_set_connect_state(client.get());
    return client.get();
  }
};

/// Sends bytes that are not TLS; returns their number.
std::size_t fill(const SocketPair& ends) {
  const std::array<char, 4096> bytes{};
  std::size_t filled = 0;
  ssize_t count = 0;
  while ((count = ::send(ends.ours(), bytes.data(), bytes.size(), 0)) > 0)
    filled += static_cast<std::size_t>(count);
  return filled;
}

/// Writes until the socket is full, while the peer does not read. Returns what has to be passed
/// again.
std::string write_until_full(TlsStream& stream) {
  const std::string piece(16384, 'x');
  Transfer put;
  while (put.state == State::Done)
    put = stream.write(piece);
  REQUIRE(put.state == State::WaitsWritable);
  return piece.substr(put.bytes);
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
  scene.ends.receive();  // unread bytes would turn the close into a reset
  scene.ends.close_theirs();
  const State state = scene.stream.handshake().state;
  CHECK((state == State::Ended || state == State::Failed));
  CHECK(scene.ours->take_failure().text == "TLS handshake: the server closed the connection");
}

TEST_CASE("many records are read at once, and then there is nothing more", "[tls]") {
  Scene scene;
  TlsStream& stream = scene.establish();
  for (int i = 0; i < 100; ++i)
    scene.server.say("0123456789");
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
  scene.server.say("0123456789");
  scene.server.say("abcdefghij");
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
  scene.server.say("last");
  SECTION("announced") {
    scene.server.close_notify();
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
  CHECK(scene.server.has_ended());
}

// --- one direction that waits for the other

TEST_CASE("where a new handshake is asked for of a full socket, reading waits for room", "[tls]") {
  Scene scene(wire::TlsServer::Versions::Tls12);
  TlsStream& stream = scene.establish();
  std::size_t left = fill(scene.ends);
  scene.server.ask_for_new_handshake();
  scene.send_pending();
  std::array<char, 100> buffer{};
  Transfer got = stream.read(buffer);
  CHECK(got.state == State::WaitsWritable);
  CHECK(got.bytes == 0);
  while (left > 0)
    left -= scene.ends.receive(left).size();
  for (int steps = 0; steps < 4 && !scene.server.has_new_handshake(); ++steps) {
    CHECK(stream.read(buffer).state == State::WaitsReadable);
    scene.step();
  }
  CHECK(scene.server.has_new_handshake());
  scene.server.say("behind it");
  scene.send_pending();
  got = stream.read(buffer);
  CHECK(std::string(buffer.data(), got.bytes) == "behind it");
}

TEST_CASE("while the other side wants a new handshake, writing waits for its bytes", "[tls]") {
  Scene scene(wire::TlsServer::Versions::Tls12);
  TlsStream& stream = scene.establish();
  std::array<char, 100> buffer{};
  scene.server.ask_for_new_handshake();
  scene.send_pending();
  CHECK(stream.read(buffer).state == State::WaitsReadable);
  Transfer put = stream.write("in the midst of it");
  CHECK(put.state == State::WaitsReadable);
  CHECK(put.bytes == 0);
  for (int steps = 0; put.bytes == 0 && steps < 10; ++steps) {
    scene.step();
    put = stream.write("in the midst of it");
  }
  scene.step();
  CHECK(scene.heard == "in the midst of it");
}

TEST_CASE("new keys that are asked for amid a write come behind it", "[tls]") {
  Scene scene(wire::TlsServer::Versions::Tls13);
  TlsStream& stream = scene.establish();
  const std::string left = write_until_full(stream);
  scene.server.ask_for_new_keys();
  scene.server.say("with the new keys");
  scene.send_pending();
  std::array<char, 100> buffer{};
  const Transfer got = stream.read(buffer);
  CHECK(got.state == State::WaitsReadable);
  CHECK(std::string(buffer.data(), got.bytes) == "with the new keys");
  scene.step();
  CHECK(stream.write(left + "and on").state == State::Done);
  scene.step();
  CHECK(stream.write("; the end").state == State::Done);
  scene.step();
  CHECK(scene.heard.ends_with("xxxand on; the end"));
}

}  // namespace sluice::event
