// TLS under the transport: what a handshake may meet.
#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "catch.h"
#include "mqtt/transport/mosquitto_transport.h"
#include "mqtt_wire.h"
#include "test_broker.h"
#include "test_loop.h"

using namespace sluice;
using namespace sluice::mqtt;

namespace {

using Context = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;
using Session = std::unique_ptr<SSL, decltype(&SSL_free)>;

/// Needs no certificates, and so no files.
void limit_to_anonymous(SSL_CTX* context) {
  REQUIRE(SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION) == 1);
  REQUIRE(SSL_CTX_set_cipher_list(context, "AECDH-AES128-SHA:@SECLEVEL=0") == 1);
}

/// A broker that speaks TLS. Sends `piece_bytes` of what it has to say at each step.
class TlsBroker : public TestBroker {
 public:
  TlsBroker() {
    limit_to_anonymous(context_.get());
    session_.reset(SSL_new(context_.get()));
    SSL_set_bio(session_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_accept_state(session_.get());
  }

  bool has_connect() const {
    const auto types = packet_types(plain_);
    return !types.empty() && types.front() == wire::Type::Connect;
  }
  bool has_heard() const { return !input().empty(); }
  void step(std::size_t piece_bytes) {
    if (!accept()) return;
    read();
    BIO_write(SSL_get_rbio(session_.get()), input().data() + taken_,
              static_cast<int>(input().size() - taken_));
    taken_ = input().size();
    std::array<char, 4096> bytes;
    int count = 0;
    while ((count = SSL_read(session_.get(), bytes.data(), bytes.size())) > 0)
      plain_.append(bytes.data(), static_cast<std::size_t>(count));
    const auto most = static_cast<int>(std::min(piece_bytes, bytes.size()));
    const int ready = BIO_read(SSL_get_wbio(session_.get()), bytes.data(), most);
    if (ready > 0) send({bytes.data(), static_cast<std::size_t>(ready)});
  }

 private:
  Context context_{SSL_CTX_new(TLS_server_method()), SSL_CTX_free};
  Session session_{nullptr, SSL_free};
  std::size_t taken_ = 0;  ///< of input(), by the session
  std::string plain_;
};

struct Events final : TransportEvents {
  void on_connected(const Connack&) noexcept override {}
  void on_acknowledged(std::uint16_t, int) noexcept override {}
  void on_writable() noexcept override {}
  void on_lost(const Loss& loss) noexcept override { losses.push_back(loss); }

  std::vector<Loss> losses;
};

/// A transport that is to connect to that broker over TLS.
struct Scene {
  Scene() { limit_to_anonymous(tls->raw()); }
  ~Scene() { transport.drop(/*reset=*/false); }

  Result<void> connect() {
    return transport.connect({.address = "127.0.0.1",
                              .port = broker.port(),
                              .client_id = "test",
                              .protocol = config::Protocol::V5});
  }
  void run_until(const std::function<bool()>& condition) { loop.run_until(condition); }
  /// What ended the attempt.
  std::string wait_for_loss() {
    run_until([this] { return !events.losses.empty(); });
    CHECK(events.losses.front().kind == Loss::Kind::Unreachable);
    return events.losses.front().text;
  }

  MosquittoLibrary library;
  event::TestLoop loop;
  TlsBroker broker;
  Events events;
  config::Broker config;
  std::shared_ptr<event::TlsContext> tls =
      event::TlsContext::make({.host = "127.0.0.1", .verify = false, .peer = "the broker"}).value();
  MosquittoTransport transport{loop, events, config, tls};
};

TlsBroker* quick_broker = nullptr;

/// Answers within the handshake's own step: what was written is answered before it is read for.
void answer_at_once(const SSL*, int, int) {
  quick_broker->step(4096);
}

}  // namespace

TEST_CASE("a handshake may come a byte at a time", "[tls]") {
  Scene scene;
  REQUIRE(scene.connect());
  scene.run_until([&] {
    scene.broker.step(1);
    return scene.broker.has_connect();
  });
  CHECK(scene.events.losses.empty());
}

TEST_CASE("a broker may be so quick that the handshake is over when connecting has just begun",
          "[tls]") {
  Scene scene;
  quick_broker = &scene.broker;
  SSL_CTX_set_info_callback(scene.tls->raw(), answer_at_once);
  REQUIRE(scene.connect());
  scene.run_until([&] {
    scene.broker.step(4096);
    return scene.broker.has_connect();
  });
}

TEST_CASE("an end in the middle of the handshake is noticed, and is named", "[tls]") {
  Scene scene;
  REQUIRE(scene.connect());
  scene.run_until([&] {
    scene.broker.step(/*piece_bytes=*/20);
    return scene.broker.has_heard();
  });
  SECTION("the broker resets the connection") {
    scene.broker.reset();
    CHECK(scene.wait_for_loss() == "TLS handshake: Connection reset by peer");
  }
  SECTION("the broker closes the connection") {
    scene.broker.close();
    CHECK(scene.wait_for_loss() == "TLS handshake: the broker closed the connection");
  }
}

TEST_CASE("a broker that does not speak TLS is found out by its first bytes", "[tls]") {
  Scene scene;
  REQUIRE(scene.connect());
  scene.run_until([&] {
    scene.broker.step(/*piece_bytes=*/0);
    return scene.broker.has_heard();
  });
  scene.broker.send("220 ready for mail");
  CHECK(scene.wait_for_loss() == "TLS handshake: wrong version number");
}

TEST_CASE("a port that nobody listens on is not taken for a failure of TLS", "[tls]") {
  Scene scene;
  scene.broker.stop_listening();
  const Result<void> begun = scene.connect();
  CHECK((begun ? scene.wait_for_loss() : begun.error().what) == "Connection refused");
}
