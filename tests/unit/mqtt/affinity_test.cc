// Which link an unpinned message takes at low load.
#include <chrono>
#include <cstdint>
#include <functional>
#include <set>
#include <vector>

#include "pool_lab.h"

using namespace sluice;
using namespace sluice::mqtt;
using std::chrono::milliseconds;

namespace {

/// A broker that acknowledges after this time; the links know it by one message.
void bring_up(PoolLab& lab, Duration round_trip, const Connack& connack = {}) {
  lab.bring_up(connack);
  const Note& probe = lab.send(1);
  lab.advance(round_trip);
  lab.acknowledge(probe);
  lab.turn();
}

Connack announcing(std::uint16_t receive_maximum) {
  Connack connack;
  connack.receive_maximum = receive_maximum;
  return connack;
}

/// Sends a message for each of `devices` new devices. How many each link has, the largest number
/// first.
std::vector<std::size_t> shares(PoolLab& lab, int devices) {
  for (int i = 0; i < devices; ++i)
    lab.send(100 + static_cast<std::int64_t>(lab.notes.size()));
  std::multiset<std::size_t, std::greater<>> counts;
  for (std::size_t slot = 0; slot < lab.pool->connections(); ++slot)
    counts.insert(lab.pool->link(slot).in_flight());
  return {counts.begin(), counts.end()};
}

using Shares = std::vector<std::size_t>;

}  // namespace

TEST_CASE("free devices share a link of a near broker up to 16 in flight, then the next one",
          "[pool][affinity]") {
  PoolLab lab(4);
  bring_up(lab, {});
  CHECK(shares(lab, 16) == Shares{16, 0, 0, 0});
  CHECK(shares(lab, 3 * 16) == Shares{16, 16, 16, 16});
}

TEST_CASE("before the first acknowledgement nothing is known, and devices spread",
          "[pool][affinity]") {
  PoolLab lab(4);
  lab.bring_up();
  CHECK(shares(lab, 8) == Shares{2, 2, 2, 2});
}

TEST_CASE("devices spread over the links of a distant broker", "[pool][affinity]") {
  PoolLab lab(4);
  bring_up(lab, milliseconds(52));
  CHECK(shares(lab, 8) == Shares{2, 2, 2, 2});
}

TEST_CASE("devices spread over links with a window that is set", "[pool][affinity]") {
  PoolLab lab(4, window_of(64));
  bring_up(lab, {});
  CHECK(shares(lab, 8) == Shares{2, 2, 2, 2});
}

TEST_CASE("of a small window no more than a quarter is shared", "[pool][affinity]") {
  SECTION("of 20 places 5") {
    PoolLab lab(4);
    bring_up(lab, {}, announcing(20));
    CHECK(shares(lab, 10) == Shares{5, 5, 0, 0});
  }
  SECTION("of 2 places 1") {
    PoolLab lab(4);
    bring_up(lab, {}, announcing(2));
    CHECK(shares(lab, 4) == Shares{1, 1, 1, 1});
  }
}

TEST_CASE("a link that acknowledges nothing for 5 ms gets no message that may go to another",
          "[pool][affinity]") {
  PoolLab lab(4);
  bring_up(lab, {});
  const unsigned silent = lab.slot_of(lab.send(7));
  lab.advance(milliseconds(4));
  CHECK(lab.slot_of(lab.send(8)) == silent);
  lab.advance(milliseconds(1));
  const unsigned next = lab.slot_of(lab.send(9));
  CHECK(next != silent);
  CHECK(lab.slot_of(lab.send(10)) == next);
  CHECK(lab.slot_of(lab.send(7)) == silent);  // it is pinned there
}

TEST_CASE("a link without a connection, without room or with a backlog is not kept to",
          "[pool][affinity]") {
  PoolLab lab(4, without_retries);
  bring_up(lab, {});
  Note& first = lab.send(7);
  const unsigned former = lab.slot_of(first);
  Connection& connection = lab.connection(former);
  SECTION("lost") {
    connection.lose();
    lab.turn();
    CHECK(lab.slot_of(lab.send(8)) != former);
  }
  SECTION("congested") {
    connection.congested = true;
    CHECK(lab.slot_of(lab.send(8)) != former);
    connection.set_congested(false);
  }
  SECTION("with a backlog") {
    connection.congested = true;
    CHECK(lab.send(7).state() == State::Pinned);
    connection.congested = false;
    CHECK(lab.slot_of(lab.hand_in(8)) != former);
    lab.turn();
  }
}
