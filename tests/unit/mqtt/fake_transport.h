// Connections without a network: each attempt of a pool becomes a Connection, and the test plays
// the broker. They keep the contract of TransportEvents: what a call finds is reported at the end
// of the turn, what the test does is an event of the connection.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "event/loop.h"
#include "mqtt/pool/pool.h"
#include "mqtt/transport/transport.h"

namespace sluice::mqtt {

/// One PUBLISH as the broker would see it.
struct Sent {
  std::uint16_t packet_id = 0;
  const protocol::Request* request = nullptr;  ///< dangles once the message is done
  std::string payload;
};

/// One connection attempt, and its connection. Outlives its transport.
struct Connection {
  ConnectOptions options;
  std::string key;                    ///< of the settings under which it was made
  TransportEvents* events = nullptr;  ///< null once the link has dropped it
  std::vector<Sent> sent;             ///< all, in order
  std::deque<Sent> unacked;           ///< of `sent`
  bool accepted = false;
  bool congested = false;
  bool sent_disconnect = false;  ///< DISCONNECT was sent
  bool was_reset = false;
  bool ignores_disconnect = false;        ///< does not close after DISCONNECT
  bool breaks_at_flush = false;           ///< the next flush() finds the connection broken
  bool is_over = false;                   ///< on_lost() has come
  bool takes_qos0 = false;                ///< a flush() that sends QoS 0 acknowledges it
  std::optional<Loss> found;              ///< by a call, to be reported at the end of the turn
  std::vector<std::uint16_t> found_acks;  ///< the same; reported before `found`
  unsigned flushes = 0;
  unsigned ticks = 0;
  std::size_t expected_acks = 1;  ///< of the latest expect_acks()
  std::size_t times_asked = 0;    ///< for is_congested()

  bool is_open() const { return events != nullptr; }
  bool is_pending() const { return is_open() && !accepted; }
  bool is_usable() const { return is_open() && !is_over && !found; }

  void accept(const Connack& connack = {}) {
    accepted = true;
    reports_to().on_connected(connack);
  }
  void refuse(int code) { end({Loss::Kind::Refused, code, "refused"}); }
  void fail() { end({Loss::Kind::Unreachable, 0, "unreachable"}); }
  void lose(Loss::Kind kind = Loss::Kind::Silent, int code = 0) { end({kind, code, "lost"}); }
  void end(const Loss& loss) {
    TransportEvents& to = reports_to();
    is_over = true;
    found.reset();
    to.on_lost(loss);
  }

  /// Acknowledges one of `unacked`.
  void ack(std::size_t place = 0, int code = 0) {
    const std::uint16_t packet_id = unacked.at(place).packet_id;
    unacked.erase(unacked.begin() + static_cast<std::ptrdiff_t>(place));
    reports_to().on_acknowledged(packet_id, code, {});
  }
  void ack_all() {
    while (!unacked.empty())
      ack();
  }
  void set_congested(bool full) {
    const bool was_full = std::exchange(congested, full);
    if (was_full && !full) reports_to().on_writable();
  }

  /// Throws if the connection is over: a fault of the test.
  TransportEvents& reports_to() const {
    if (events == nullptr || is_over) throw std::logic_error("this connection is over");
    return *events;
  }

  /// The payloads of `sent`.
  std::vector<std::string> payloads() const {
    std::vector<std::string> all;
    for (const Sent& one : sent)
      all.push_back(one.payload);
    return all;
  }
};

/// All attempts of one pool.
class FakeBroker {
 public:
  std::vector<std::shared_ptr<Connection>> attempts;
  bool unreachable = false;  ///< connect() fails at once
  std::string key;           ///< the connection key of the current settings
  PublishStatus status = PublishStatus::Queued;
  std::uint16_t first_packet_id = 1;
  std::function<void(Connection&, const protocol::Request&)> on_publish;

  PoolTransportFactory factory();

  std::size_t pending() const {
    std::size_t count = 0;
    for (const auto& attempt : attempts) {
      if (attempt->is_pending()) ++count;
    }
    return count;
  }
  void accept_pending(const Connack& connack = {}) {
    for (std::size_t i = 0; i < attempts.size(); ++i) {
      if (attempts[i]->is_pending()) attempts[i]->accept(connack);
    }
  }
  /// The latest attempt of a client identifier; there must be one.
  Connection& latest(const std::string& client_id) const {
    for (std::size_t i = attempts.size(); i > 0; --i) {
      if (attempts[i - 1]->options.client_id == client_id) return *attempts[i - 1];
    }
    throw std::runtime_error("no attempt of " + client_id);
  }
};

class FakeTransport final : public Transport {
 public:
  FakeTransport(event::Loop& loop, FakeBroker& broker, TransportEvents& events)
      : broker_(broker),
        connection_(std::make_shared<Connection>()),
        report_(loop, bind<&FakeTransport::report>(this)) {
    connection_->events = &events;
  }
  ~FakeTransport() override { connection_->events = nullptr; }

  std::shared_ptr<Connection> connection() const { return connection_; }

  Result<void> connect(const ConnectOptions& options) noexcept override {
    connection_->options = options;
    connection_->key = broker_.key;
    broker_.attempts.push_back(connection_);
    if (!broker_.unreachable) return {};
    drop(/*reset=*/false);
    return Error{"no route"};
  }
  std::string_view awaits() const noexcept override { return "CONNACK"; }
  PublishStatus publish(const protocol::Request& request,
                        std::uint16_t& packet_id) noexcept override {
    if (!connection_->is_usable() || connection_->sent_disconnect) return PublishStatus::Broken;
    if (broker_.status == PublishStatus::Broken) find({Loss::Kind::Disconnected, 0, "useless"});
    if (broker_.status != PublishStatus::Queued) return broker_.status;
    if (broker_.on_publish) broker_.on_publish(*connection_, request);
    packet_id = next_id();
    connection_->sent.push_back({packet_id, &request, std::string(request.payload())});
    connection_->unacked.push_back(connection_->sent.back());
    return PublishStatus::Queued;
  }
  void flush() noexcept override {
    if (!connection_->is_usable()) return;
    ++connection_->flushes;
    if (connection_->takes_qos0) take_qos0();
    if (connection_->breaks_at_flush) find({Loss::Kind::Disconnected, 0, "broken"});
  }
  bool is_congested() const noexcept override {
    ++connection_->times_asked;
    return connection_->congested;
  }
  void expect_acks(std::size_t acknowledgements) noexcept override {
    if (connection_->is_usable()) connection_->expected_acks = acknowledgements;
  }
  void tick() noexcept override {
    if (connection_->is_usable()) ++connection_->ticks;
  }
  void disconnect() noexcept override {
    if (!connection_->is_usable() || std::exchange(connection_->sent_disconnect, true)) return;
    if (!connection_->ignores_disconnect) find({Loss::Kind::Closed, 0, "closed"});
  }
  void drop(bool reset) noexcept override {
    connection_->was_reset = reset;
    connection_->events = nullptr;
    connection_->found_acks.clear();
    report_.cancel();
  }

 private:
  void find(const Loss& loss) noexcept {
    connection_->found = loss;
    report_.schedule();
  }
  void take_qos0() noexcept {
    std::erase_if(connection_->unacked, [this](const Sent& one) {
      if (one.request->qos == 0) connection_->found_acks.push_back(one.packet_id);
      return one.request->qos == 0;
    });
    if (!connection_->found_acks.empty()) report_.schedule();
  }
  void report() noexcept {
    for (const std::uint16_t packet_id : std::exchange(connection_->found_acks, {})) {
      if (connection_->is_open()) connection_->events->on_acknowledged(packet_id, 0, {});
    }
    if (connection_->is_open() && connection_->found) connection_->end(Loss(*connection_->found));
  }
  std::uint16_t next_id() noexcept {
    if (packet_id_ == 0) packet_id_ = broker_.first_packet_id;
    const std::uint16_t id = packet_id_;
    packet_id_ = static_cast<std::uint16_t>(id == 65535 ? 1 : id + 1);
    return id;
  }

  FakeBroker& broker_;
  std::shared_ptr<Connection> connection_;
  event::Deferred report_;
  std::uint16_t packet_id_ = 0;
};

inline PoolTransportFactory FakeBroker::factory() {
  return [this](event::Loop& loop, TransportEvents& events, const config::Broker&) {
    return std::make_unique<FakeTransport>(loop, *this, events);
  };
}

}  // namespace sluice::mqtt
