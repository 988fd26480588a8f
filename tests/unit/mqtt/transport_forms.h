// The two forms of Transport, each with a broker that the test controls: MosquittoTransport over a
// real socket, plain and with TLS, and FakeTransport, which replaces it in tests of Link and Pool.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "catch.h"
#include "fake_transport.h"
#include "mqtt/transport/mosquitto_transport.h"
#include "mqtt_wire.h"
#include "test_broker.h"
#include "test_loop.h"
#include "tls_broker.h"

namespace sluice::mqtt {

/// Records a transport's reports, and checks that none comes from within a call.
class Reports final : public TransportEvents {
 public:
  void on_connected(const Connack&) noexcept override { note("connected"); }
  void on_acknowledged(std::uint16_t packet_id, int, std::string_view) noexcept override {
    note("acknowledged " + std::to_string(packet_id));
  }
  void on_qos2_downgraded() noexcept override { note("downgraded"); }
  void on_writable() noexcept override { note("writable"); }
  void on_lost(const Loss& loss) noexcept override {
    last_loss = loss;
    note("lost");
  }

  std::size_t count(const std::string& what) const {
    return static_cast<std::size_t>(std::count(all.begin(), all.end(), what));
  }

  std::vector<std::string> all;
  Loss last_loss;
  int calls_under_way = 0;
  std::function<void(const std::string&)> then;  ///< called within a report, as the link might

 private:
  void note(const std::string& what) {
    CHECK(calls_under_way == 0);
    all.push_back(what);
    if (then) then(what);
  }
};

/// A transport and the calls that a link makes.
class Caller {
 public:
  using Ids = std::vector<std::uint16_t>;

  Result<void> connect(std::uint16_t port) {
    const Call under_way(reports);
    return transport->connect({.address = "127.0.0.1",
                               .port = port,
                               .client_id = "test",
                               .protocol = config::Protocol::V5});
  }
  PublishStatus publish(std::uint8_t qos, std::size_t bytes = 10) {
    protocol::Request& request =
        requests_.emplace_back(protocol::Request::make("t", std::string(bytes, 'x')));
    request.qos = qos;
    std::uint16_t id = 0;
    const Call under_way(reports);
    const PublishStatus status = transport->publish(request, id);
    if (status == PublishStatus::Queued) ids.push_back(id);
    return status;
  }
  void flush() {
    const Call under_way(reports);
    transport->flush();
  }
  void expect_acks(std::size_t acknowledgements) {
    const Call under_way(reports);
    transport->expect_acks(acknowledgements);
  }
  void tick() {
    const Call under_way(reports);
    transport->tick();
  }
  void disconnect() {
    const Call under_way(reports);
    transport->disconnect();
  }
  void drop() {
    const Call under_way(reports);
    transport->drop(/*reset=*/false);
  }
  /// Establishes a connection.
  template <class Form>
  static void establish(Form& form) {
    REQUIRE(form.connect(form.port()));
    form.accept();
    form.wait_for(1);
    REQUIRE(form.reports.all == std::vector<std::string>{"connected"});
    form.reports.all.clear();
  }
  /// Waits for `count` reports, and then some turns for unexpected ones.
  void wait_for(std::size_t count) {
    loop.run_until([&] { return reports.all.size() >= count; });
    loop.run_turns(8);
  }

  event::TestLoop loop;
  Reports reports;
  std::unique_ptr<Transport> transport;
  Ids ids;  ///< of what was published

 private:
  class Call {
   public:
    explicit Call(Reports& reports) : reports_(reports) { ++reports_.calls_under_way; }
    ~Call() { --reports_.calls_under_way; }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

   private:
    Reports& reports_;
  };

  std::deque<protocol::Request> requests_;
};

/// MosquittoTransport, towards a TestBroker or a TlsBroker.
template <class Broker>
class SocketForm : public Caller {
 public:
  ~SocketForm() { transport.reset(); }
  SocketForm(const SocketForm&) = delete;
  SocketForm& operator=(const SocketForm&) = delete;

  std::uint16_t port() const { return broker_.port(); }
  void make_unreachable() { broker_.stop_listening(); }

  // The broker. The transport sees its bytes when the loop turns.
  void accept() { answer_connect(0); }
  void refuse(std::uint8_t code) { answer_connect(code); }
  void acknowledge(const Ids& these) { broker_.send(acks_of(these)); }
  /// All in one segment.
  void acknowledge_and_disconnect(const Ids& these, std::uint8_t code) {
    std::string last = acks_of(these);
    wire::append_disconnect(last, code);
    broker_.send(last);
  }
  void close_by_broker() { broker_.close(); }
  /// The next flush() finds out.
  void break_unnoticed() { broker_.reset(); }
  /// The next flush() finds out, behind QoS 0 that the socket still takes.
  void break_behind_qos0() { broker_.close(); }
  void take_qos0() {}
  void await_publishes(std::size_t count) { await(wire::Type::Publish, count); }
  void close_after_disconnect() {
    await(wire::Type::Disconnect, 1);
    broker_.close();
  }
  /// Until is_congested().
  void stall() {
    while (!transport->is_congested()) {
      for (int i = 0; i < 400; ++i)
        REQUIRE(publish(0, 150) == PublishStatus::Queued);
      flush();
    }
  }
  void go_on() {
    loop.run_until([&] {
      broker_.read();
      return !transport->is_congested();
    });
  }

 protected:
  template <class... Arguments>
  explicit SocketForm(std::shared_ptr<event::TlsContext> tls, Arguments... of_broker)
      : broker_(of_broker...) {
    config_.keepalive_s = 60;
    transport = std::make_unique<MosquittoTransport>(loop, reports, config_, std::move(tls));
  }

 private:
  void answer_connect(std::uint8_t code) {
    loop.run_until([&] { return broker_.accept(); });
    await(wire::Type::Connect, 1);
    std::string connack;
    wire::append_connack(connack, true, code);
    broker_.send(connack);
  }
  void await(wire::Type type, std::size_t count) {
    loop.run_until([&] {
      broker_.read();
      return broker_.count(type) >= count;
    });
  }
  static std::string acks_of(const Ids& these) {
    std::string acks;
    for (const std::uint16_t id : these)
      wire::append_ack(acks, wire::Type::Puback, true, id);
    return acks;
  }

  MosquittoLibrary library_;
  Broker broker_;
  config::Broker config_;
};

class PlainForm : public SocketForm<TestBroker> {
 public:
  PlainForm() : SocketForm(nullptr) {}
};
class Tls12Form : public SocketForm<TlsBroker> {
 public:
  Tls12Form() : SocketForm(tls_without_checks(), TlsBroker::Versions::Tls12) {}
};
class Tls13Form : public SocketForm<TlsBroker> {
 public:
  Tls13Form() : SocketForm(tls_without_checks(), TlsBroker::Versions::Tls13) {}
};

/// FakeTransport. What the broker does on a connection that was dropped reaches nothing.
class FakeForm : public Caller {
 public:
  FakeForm() {
    auto fake = std::make_unique<FakeTransport>(loop, broker_, reports);
    connection_ = fake->connection();
    transport = std::move(fake);
  }
  ~FakeForm() { transport.reset(); }
  FakeForm(const FakeForm&) = delete;
  FakeForm& operator=(const FakeForm&) = delete;

  static std::uint16_t port() { return 1; }
  void make_unreachable() { broker_.unreachable = true; }

  void accept() {
    if (connection_->is_open()) connection_->accept();
  }
  void refuse(std::uint8_t code) {
    if (connection_->is_open()) connection_->refuse(code);
  }
  void acknowledge(const Ids& these) {
    for (const std::uint16_t id : these) {
      if (!connection_->is_open()) return;
      const auto& unacked = connection_->unacked;
      const auto found = std::find_if(unacked.begin(), unacked.end(),
                                      [&](const Sent& one) { return one.packet_id == id; });
      REQUIRE(found != unacked.end());
      connection_->ack(static_cast<std::size_t>(found - unacked.begin()));
    }
  }
  void acknowledge_and_disconnect(const Ids& these, std::uint8_t code) {
    acknowledge(these);
    if (connection_->is_open()) connection_->lose(Loss::Kind::Disconnected, code);
  }
  void close_by_broker() {
    if (connection_->is_open()) connection_->lose(Loss::Kind::Disconnected);
  }
  void break_unnoticed() { connection_->breaks_at_flush = true; }
  void break_behind_qos0() { connection_->breaks_at_flush = connection_->takes_qos0 = true; }
  void take_qos0() { connection_->takes_qos0 = true; }
  void await_publishes(std::size_t count) { REQUIRE(connection_->sent.size() >= count); }
  void close_after_disconnect() { REQUIRE(connection_->sent_disconnect); }
  void stall() { connection_->set_congested(true); }
  void go_on() { connection_->set_congested(false); }

 private:
  FakeBroker broker_;
  std::shared_ptr<Connection> connection_;
};

}  // namespace sluice::mqtt
