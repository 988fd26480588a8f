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
  /// How many whole packets of this type have come.
  std::size_t count_plain(wire::Type type) const {
    const auto types = packet_types(plain_);
    return static_cast<std::size_t>(std::count(types.begin(), types.end(), type));
  }
  const std::string& plain() const { return plain_; }
  bool was_told_of_the_end() const {
    return (SSL_get_shutdown(session_.get()) & SSL_RECEIVED_SHUTDOWN) != 0;
  }
  /// In one record; the next step sends it.
  void say(const std::string& packets) {
    REQUIRE(SSL_write(session_.get(), packets.data(), static_cast<int>(packets.size())) > 0);
  }
  bool has_heard() const { return !input().empty(); }
  void step(std::size_t piece_bytes) {
    if (!accept()) return;
    read();
    BIO_write(SSL_get_rbio(session_.get()), input().data() + taken_,
              static_cast<int>(input().size() - taken_));
    taken_ = input().size();
    std::array<char, 32768> bytes;
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
  void on_connected(const Connack&) noexcept override { connected = true; }
  void on_acknowledged(std::uint16_t, int) noexcept override { ++acknowledged; }
  void on_writable() noexcept override {}
  void on_lost(const Loss& loss) noexcept override { losses.push_back(loss); }

  bool connected = false;
  std::size_t acknowledged = 0;
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

  /// The broker turns with the loop.
  void step_until(const std::function<bool()>& condition) {
    run_until([&] {
      broker.step(32768);
      return condition();
    });
  }
  void establish() {
    REQUIRE(connect());
    step_until([this] { return broker.has_connect(); });
    std::string connack;
    wire::append_connack(connack, true, 0);
    broker.say(connack);
    step_until([this] { return events.connected; });
  }
  void publish(std::uint8_t qos, std::size_t size) {
    protocol::Request request = protocol::Request::make("t", std::string(size, 'x'));
    request.qos = qos;
    std::uint16_t id = 0;
    REQUIRE(transport.publish(request, id) == PublishStatus::Queued);
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

TEST_CASE("over TLS messages arrive, and many acknowledgements in small records are seen",
          "[tls]") {
  Scene scene;
  scene.establish();
  constexpr std::uint16_t kMany = 3000;
  for (std::size_t i = 0; i < kMany; ++i)
    scene.publish(1, 100);
  scene.transport.flush();
  scene.step_until([&] { return scene.broker.count_plain(wire::Type::Publish) == kMany; });
  for (std::uint16_t id = 1; id <= kMany; ++id) {
    std::string ack;
    wire::append_ack(ack, wire::Type::Puback, true, id);
    scene.broker.say(ack);
  }
  scene.step_until([&] { return scene.events.acknowledged == kMany; });
  CHECK(scene.events.losses.empty());
}

TEST_CASE("what TLS holds when a read is full is read without a word from the socket", "[tls]") {
  Scene scene;
  scene.establish();
  constexpr std::uint16_t kMany = 4097;
  for (std::size_t i = 0; i < kMany; ++i)
    scene.publish(1, 1);
  scene.transport.flush();
  scene.step_until([&] { return scene.broker.count_plain(wire::Type::Publish) == kMany; });
  // A small record and one of the largest: 4 bytes more than a read takes.
  std::string acks;
  for (std::uint16_t id = 1; id <= kMany; ++id)
    wire::append_ack(acks, wire::Type::Puback, true, id);
  scene.broker.say(acks.substr(0, 4));
  scene.broker.say(acks.substr(4));
  scene.step_until([&] { return scene.events.acknowledged == kMany; });
}

TEST_CASE("over TLS acknowledgements are not waited for: their bytes are not the socket's",
          "[tls]") {
  Scene scene;
  scene.establish();
  scene.transport.coalesce(8);
  CHECK(low_water_mark(scene.broker.peer()) == 1);
}

TEST_CASE("what is glued behind the CONNACK in one TLS record is read", "[tls]") {
  Scene scene;
  REQUIRE(scene.connect());
  scene.step_until([&] { return scene.broker.has_connect(); });
  std::string glued;
  wire::append_connack(glued, true, 0);
  wire::append_disconnect(glued, 0x8B);
  scene.broker.say(glued);
  scene.step_until([&] { return !scene.events.losses.empty(); });
  CHECK(scene.events.losses.front().reason_code == 0x8B);
}

TEST_CASE("over TLS a full socket is waited for, and QoS 0 is done when TLS has taken it",
          "[tls]") {
  Scene scene;
  scene.establish();
  std::size_t published = 0;
  while (!scene.transport.is_congested() && published < 200'000) {
    for (int i = 0; i < 400; ++i, ++published)
      scene.publish(0, 150);
    scene.transport.flush();
  }
  REQUIRE(scene.transport.is_congested());
  scene.loop.run_turns(1);
  CHECK(scene.events.acknowledged < published);
  scene.step_until([&] { return scene.broker.count_plain(wire::Type::Publish) == published; });
  scene.loop.run_turns(4);
  CHECK(scene.events.acknowledged == published);
  CHECK_FALSE(scene.transport.is_congested());
}

TEST_CASE("over TLS a DISCONNECT is followed by the end of TLS, and the broker is waited for",
          "[tls]") {
  Scene scene;
  scene.establish();
  scene.publish(0, 10);
  scene.transport.flush();
  scene.transport.disconnect();
  scene.step_until([&] { return scene.broker.was_told_of_the_end(); });
  CHECK(packet_types(scene.broker.plain()) ==
        std::vector{wire::Type::Connect, wire::Type::Publish, wire::Type::Disconnect});
  scene.loop.run_turns(8);
  CHECK(scene.events.losses.empty());
  scene.broker.close();
  scene.run_until([&] { return !scene.events.losses.empty(); });
  CHECK(scene.events.losses.front().kind == Loss::Kind::Closed);
}
