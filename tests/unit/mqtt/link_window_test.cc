// How many messages a link has in flight.
#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "pool_lab.h"

using namespace sluice;
using namespace sluice::mqtt;
using Texts = std::vector<std::string>;

namespace {

/// Brings the pool up and sends this many messages, each of another device.
void with_sent(PoolLab& lab, int messages) {
  lab.bring_up();
  for (int i = 0; i < messages; ++i)
    lab.send(i);
}

}  // namespace

TEST_CASE("no more than max_inflight messages are unacknowledged", "[link]") {
  PoolLab lab(1, window_of(3));
  with_sent(lab, 5);
  CHECK(lab.connection().payloads() == Texts{"1", "2", "3"});
  CHECK(lab.pool->queued() == 2);
  lab.connection().ack(1);
  lab.turn();
  CHECK(lab.connection().payloads() == Texts{"1", "2", "3", "4"});
  CHECK(lab.pool->in_flight() == 3);
}

TEST_CASE("a window that was full opens again when a quarter of it is free", "[link]") {
  PoolLab lab(1, window_of(32));
  with_sent(lab, 40);
  for (std::uint16_t id = 1; id <= 7; ++id) {
    lab.connection().ack(id);
    lab.turn();
  }
  CHECK(lab.pool->in_flight() == 25);
  const std::size_t flushes = lab.connection().flushes;
  lab.connection().ack(8);
  lab.turn();
  CHECK(lab.pool->in_flight() == 32);
  CHECK(lab.connection().flushes == flushes + 1);
}

TEST_CASE("a window of eight waits for two free places, a smaller one for none", "[link]") {
  for (const unsigned size : {8u, 7u}) {
    PoolLab lab(1, window_of(size));
    with_sent(lab, 12);
    lab.connection().ack(1);
    lab.turn();
    CHECK(lab.pool->in_flight() == 7);
    lab.connection().ack(2);
    lab.turn();
    CHECK(lab.pool->in_flight() == size);
  }
}

TEST_CASE("acknowledgements may come together while a full window waits for them", "[link]") {
  PoolLab lab(1, window_of(32));
  lab.bring_up();
  const Connection& connection = lab.connection();
  for (int i = 0; i < 31; ++i)
    lab.send(i);
  CHECK(connection.expected_acks == 1);
  lab.send(31);
  CHECK(connection.expected_acks == 8);
  for (int i = 0; i < 5; ++i)
    lab.connection().ack();
  lab.turn();
  CHECK(connection.expected_acks == 3);  // what is missing: more may not come before it is sent
  for (int i = 0; i < 3; ++i)
    lab.connection().ack();
  lab.turn();
  CHECK(connection.expected_acks == 1);
}

TEST_CASE("what one connection learns of the window opens the others", "[link]") {
  PoolLab lab(2, [](config::Broker& broker) { broker.max_inflight.reset(); });
  lab.bring_up();
  for (int i = 0; i < 1000; ++i)
    lab.send(i);
  REQUIRE(lab.connection(1).expected_acks == 16);
  for (int round_trip = 0; round_trip < 3; ++round_trip) {
    lab.connection(0).ack_all();
    lab.turn();
  }
  REQUIRE(lab.pool->link(1).window() > 64);
  lab.run_until([&] { return lab.pool->link(1).in_flight() == lab.pool->link(1).window(); });
}

TEST_CASE("a window that a change of settings has opened does not wait for acknowledgements",
          "[link]") {
  PoolLab lab(1, window_of(32));
  with_sent(lab, 32);
  CHECK(lab.connection().expected_acks == 8);
  lab.change([](PoolSettings& settings) { settings.broker.max_inflight = 64; });
  lab.turn();
  CHECK(lab.connection().expected_acks == 1);
}

TEST_CASE("of a window that has shrunk no more than a quarter is waited for at once", "[link]") {
  PoolLab lab(1, window_of(64));
  with_sent(lab, 64);
  CHECK(lab.connection().expected_acks == 16);
  lab.change([](PoolSettings& settings) { settings.broker.max_inflight = 32; });
  lab.connection().ack();
  lab.turn();
  CHECK(lab.connection().expected_acks == 8);
}

TEST_CASE("a small window, and one in which messages were given up, wait for each acknowledgement",
          "[link]") {
  PoolLab small(1, window_of(7));
  with_sent(small, 12);
  CHECK(small.connection().expected_acks == 1);
  PoolLab lab(1, window_of(32));
  lab.bring_up();
  Note& stuck = lab.send(0);
  for (int i = 1; i < 32; ++i)
    lab.send(i);
  lab.connection().ack(1);
  lab.turn();
  CHECK(lab.connection().expected_acks == 7);
  lab.give_up(stuck);
  lab.turn();
  CHECK(lab.connection().expected_acks == 1);
}

TEST_CASE("a full window does not wait for places that answered messages may hold for ever",
          "[link]") {
  PoolLab lab(1, window_of(32));
  lab.bring_up();
  Note& stuck = lab.send(0);
  for (int i = 1; i < 40; ++i)
    lab.send(i);
  lab.give_up(stuck);
  lab.connection().ack(2);
  lab.turn();
  CHECK(lab.pool->in_flight() == 32);
}

TEST_CASE("the broker's Receive Maximum narrows the window and never widens it", "[link]") {
  const auto window_with = [](std::optional<unsigned> own, std::uint16_t receive_maximum) {
    PoolLab lab(1, [&](config::Broker& broker) { broker.max_inflight = own; });
    Connack connack;
    connack.receive_maximum = receive_maximum;
    lab.bring_up(connack);
    for (int i = 0; i < 10; ++i)
      lab.send(i);
    CHECK(lab.pool->in_flight() == std::min<std::size_t>(10, lab.pool->link(0).window()));
    return lab.pool->link(0).window();
  };
  CHECK(window_with(3, 2) == 2);
  CHECK(window_with(3, 100) == 3);
  CHECK(window_with(std::nullopt, 20) == 20);
  CHECK(window_with(std::nullopt, 65535) == 64);  // to begin with
}

TEST_CASE("an automatic window that is full grows while acknowledgements come promptly", "[link]") {
  PoolLab lab(1, [](config::Broker& broker) { broker.max_inflight.reset(); });
  lab.bring_up();
  for (int i = 0; i < 500; ++i)
    lab.send(i);
  CHECK(lab.pool->in_flight() == 64);
  for (int round_trip = 0; round_trip < 2; ++round_trip) {  // the first one began with one message
    lab.connection().ack_all();
    lab.turn();
  }
  CHECK(lab.pool->in_flight() > 64);
  CHECK(lab.pool->in_flight() <= lab.pool->link(0).window());
}

TEST_CASE("a 3.1.1 broker is given 16 QoS 2 messages at most", "[link]") {
  PoolLab lab(1, [](config::Broker& broker) { broker.protocol = config::Protocol::V311; });
  lab.bring_up();
  for (int device = 0; device < 22; ++device)
    lab.send(device, {.qos = 2});
  CHECK(lab.pool->in_flight() == 16);
  lab.connection().lose();
  lab.accept_until(1);
  CHECK(lab.pool->in_flight() == 16);
  lab.connection().ack();
  lab.turn();
  CHECK(lab.pool->in_flight() == 16);
  CHECK(lab.pool->queued() == 5);
}
