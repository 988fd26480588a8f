// Devices and their links, the queue, and the links' backlogs.
#include <chrono>
#include <string>
#include <vector>

#include "mqtt/reason_codes.h"
#include "pool_lab.h"

using namespace sluice;
using namespace sluice::mqtt;
using Texts = std::vector<std::string>;

namespace {

/// The link that the QoS 0 messages of device 7 take, now congested.
unsigned congest_home(PoolLab& lab) {
  const unsigned home = lab.slot_of(lab.send(7, {.qos = 0}));
  lab.connection(home).ack();
  lab.connection(home).congested = true;
  return home;
}

}  // namespace

// --- devices
// --------------------------------------------------------------------------------------

TEST_CASE("a device with anything outstanding keeps its link", "[pool]") {
  PoolLab lab(4);
  lab.bring_up();
  const unsigned slot = lab.slot_of(lab.send(7));
  for (int i = 0; i < 8; ++i)
    CHECK(lab.slot_of(lab.send(7)) == slot);
  CHECK(lab.connection(slot).payloads() == Texts{"1", "2", "3", "4", "5", "6", "7", "8", "9"});
}

TEST_CASE("a device keeps its link also for a message that was answered already", "[pool]") {
  PoolLab lab(4);
  lab.bring_up();
  Note& late = lab.send(7);
  lab.give_up(late);
  for (int i = 0; i < 4; ++i)
    CHECK(lab.slot_of(lab.send(7)) == lab.slot_of(late));
}

TEST_CASE("free devices spread over the links, the least loaded first", "[pool]") {
  PoolLab lab(3, window_of(64));
  lab.bring_up();
  for (int device = 0; device < 6; ++device)
    lab.send(device);
  for (unsigned slot = 0; slot < 3; ++slot)
    CHECK(lab.connection(slot).sent.size() == 2);
  lab.connection(1).ack_all();
  CHECK(lab.slot_of(lab.send(100)) == 1);
  CHECK(lab.slot_of(lab.send(101)) == 1);
}

TEST_CASE("what was queued is spread over the links, too", "[pool]") {
  PoolLab lab(4, window_of(64));
  lab.bring_up();
  for (int device = 1; device <= 4 * 64 + 64; ++device)
    lab.send(device);
  REQUIRE(lab.pool->queued() == 64);
  for (unsigned slot = 0; slot < 4; ++slot) {
    for (int i = 0; i < 64; ++i)
      lab.connection(slot).ack();
  }
  lab.turn();
  for (unsigned slot = 0; slot < 4; ++slot)
    CHECK(lab.pool->link(slot).in_flight() == 16);
}

TEST_CASE("a device with nothing outstanding may change its link", "[pool]") {
  PoolLab lab(2);
  lab.bring_up();
  Note& first = lab.send(7);
  const unsigned slot = lab.slot_of(first);
  lab.connection(slot).ack();
  lab.connection(slot).congested = true;
  CHECK(lab.slot_of(lab.send(7)) == 1 - slot);
  lab.connection(slot).set_congested(false);
}

TEST_CASE("a device whose link is full waits there and holds up no other", "[pool]") {
  PoolLab lab(2, window_of(2));
  lab.bring_up();
  const unsigned slot = lab.slot_of(lab.send(7));
  lab.send(7);
  Note& waiting = lab.send(7);
  CHECK(waiting.state() == State::Pinned);
  Note& other = lab.send(8);
  CHECK(lab.slot_of(other) == 1 - slot);
  lab.connection(1 - slot).ack();
  CHECK(other.is_acknowledged());
  CHECK_FALSE(waiting.handed_over);
  lab.connection(slot).ack();
  lab.turn();
  CHECK(lab.slot_of(waiting) == slot);
}

TEST_CASE("a device that keeps its link all the time does not keep the queue waiting", "[pool]") {
  PoolLab lab(1, window_of(2));
  lab.bring_up();
  lab.send(1);
  lab.send(1);
  Note& waiting = lab.send(2);
  for (int i = 0; i < 3; ++i)
    lab.send(1);
  lab.connection().ack();
  lab.turn();
  CHECK(waiting.handed_over);
  while (lab.pool->in_flight() > 0) {
    lab.connection().ack();
    lab.turn();
  }
  CHECK(lab.connection().payloads() == Texts{"1", "2", "3", "4", "5", "6"});
}

TEST_CASE("what a link finds in the queue for an idle one does not wait there", "[pool]") {
  // Links or queue may be served first.
  const int pumps_before = GENERATE(0, 1, 2);
  const std::int64_t device = GENERATE(10, 11);
  PoolLab lab(2, window_of(1));
  lab.bring_up();
  const unsigned home = lab.slot_of(lab.send(device, {.qos = 0}));
  lab.connection(home).ack();
  lab.turn();
  for (int i = 0; i < pumps_before; ++i) {
    lab.acknowledge(lab.send(1));
    lab.turn();
  }
  const std::int64_t elsewhere = lab.slot_of(lab.send(1)) == home ? 2 : 1;
  lab.send(2);
  Note& free = lab.send(3);
  Note& waiting = lab.send(device, {.qos = 0});
  CHECK(lab.send(elsewhere).state() == State::Pinned);
  lab.connection(0).ack();
  lab.connection(1).ack();
  lab.turn();
  CHECK(waiting.handed_over == (lab.slot_of(free) != home));
}

TEST_CASE("a device whose link is down waits for that link and holds up no other", "[pool]") {
  PoolLab lab(2);
  lab.bring_up();
  Note& lost = lab.send(7);
  const unsigned slot = lab.slot_of(lost);
  lab.connection(slot).lose();
  Note& waiting = lab.send(7);
  CHECK(waiting.state() == State::Pinned);
  for (int device = 10; device < 20; ++device)
    CHECK(lab.slot_of(lab.send(device)) == 1 - slot);
  lab.accept_until(2);
  CHECK(lab.connection(slot).payloads() == Texts{"1", "2"});
}

TEST_CASE(
    "a device answered meanwhile waits for its slot, too, as the broker may read the old one last",
    "[pool]") {
  const bool is_answered_before = GENERATE(true, false);
  PoolLab lab(2);
  lab.bring_up();
  Note& late = lab.send(7);
  const unsigned slot = lab.slot_of(late);
  if (is_answered_before) lab.give_up(late);
  lab.connection(slot).lose();
  lab.give_up(late);
  Note& next = lab.send(7);
  CHECK(next.state() == State::Pinned);
  CHECK(lab.slot_of(lab.send(8)) == 1 - slot);
  lab.accept_until(2);
  CHECK(late.is(DeliveryOutcome::Kind::GivenUp));
  CHECK(lab.connection(slot).payloads() == Texts{"2"});
  CHECK(next.handed_over);
}

TEST_CASE("queued messages of one device follow it into its link's backlog", "[pool]") {
  PoolLab lab(2, window_of(1));
  lab.bring_up();
  lab.send(1);
  lab.send(2);
  Note& first = lab.send(7);
  Note& second = lab.send(7);
  Note& other = lab.send(8);
  CHECK(first.state() == State::Queued);
  lab.connection(0).ack();
  lab.turn();
  CHECK(lab.slot_of(first) == 0);
  CHECK(second.state() == State::Pinned);
  // The other device is not held up by the backlog before it.
  lab.connection(1).ack();
  lab.turn();
  CHECK(lab.slot_of(other) == 1);
  lab.connection(0).ack();
  lab.turn();
  CHECK(lab.slot_of(second) == 0);
}

TEST_CASE("one device's messages keep their order through queue, backlog and loss", "[pool]") {
  PoolLab lab(1, window_of(2));
  lab.pool->start();
  lab.turn();
  for (int i = 0; i < 4; ++i)
    lab.send(7);  // queued before there is a connection
  lab.accept_until(1);
  lab.send(7);
  lab.send(7);
  CHECK(lab.connection().payloads() == Texts{"1", "2"});
  lab.connection().ack();
  lab.turn();
  lab.connection().lose();
  lab.send(7);
  lab.accept_until(1);
  for (int i = 0; i < 6; ++i) {
    lab.connection().ack();
    lab.turn();
  }
  CHECK(lab.connection().payloads() == Texts{"2", "3", "4", "5", "6", "7"});
  for (const Note& note : lab.notes)
    CHECK(note.is_acknowledged());
}

TEST_CASE("what was only queued moves to another link, in order", "[pool]") {
  PoolLab lab(2, [](config::Broker& broker) {
    broker.max_inflight = 1;
    broker.reconnect_min = std::chrono::hours(1);
    broker.reconnect_max = std::chrono::hours(1);
  });
  lab.bring_up();
  const unsigned slot = lab.slot_of(lab.send(7));
  Note& second = lab.send(7);
  Note& third = lab.send(7);
  lab.connection(slot).congested = true;
  lab.connection(slot).ack();
  lab.turn();
  CHECK(second.state() == State::Pinned);
  for (int turns = GENERATE(0, 1, 2); turns > 0; --turns)  // links or queue first
    lab.acknowledge(lab.send(8));
  lab.turn();
  lab.connection(slot).lose();  // its first message was acknowledged, so it is not pinned there
  lab.turn();
  CHECK(lab.slot_of(second) == 1 - slot);
  lab.connection(1 - slot).ack();
  lab.turn();
  CHECK(lab.slot_of(third) == 1 - slot);
}

TEST_CASE("a lost link's backlog goes before what was queued later", "[pool]") {
  PoolLab lab(1, window_of(1));
  lab.bring_up();
  Note& lost = lab.send(7);
  lab.send(7);
  lab.connection().lose();
  lab.turn();
  Note& newer = lab.send(8);
  CHECK(newer.state() == State::Queued);
  lab.give_up(lost);
  lab.turn();
  lab.accept_until(1);
  lab.connection().ack();
  lab.turn();
  CHECK(lab.connection().payloads() == Texts{"2", "3"});
}

// --- QoS 0
// ----------------------------------------------------------------------------------------

TEST_CASE("a device's QoS 0 messages all take one link, as nothing tells when it has them read",
          "[pool]") {
  PoolLab lab(4);
  lab.bring_up();
  const unsigned home = lab.slot_of(lab.send(7, {.qos = 0}));
  for (int i = 0; i < 8; ++i) {
    lab.connection(home).ack_all();
    CHECK(lab.slot_of(lab.send(7, {.qos = 0})) == home);
  }
  lab.connection(home).ack_all();
}

TEST_CASE("a QoS 0 message whose home link is full waits there, and the next behind it", "[pool]") {
  PoolLab lab(2);
  lab.bring_up();
  const unsigned home = congest_home(lab);
  Note& first = lab.send(7, {.qos = 0});
  Note& second = lab.send(7, {.qos = 0});
  CHECK(first.state() == State::Pinned);
  CHECK(second.state() == State::Pinned);
  CHECK_FALSE(lab.send(8, {.qos = 1}).state() == State::Pinned);
  lab.connection(home).set_congested(false);
  lab.turn();
  CHECK(lab.slot_of(first) == home);
  CHECK(lab.slot_of(second) == home);
}

TEST_CASE("QoS 0 of a device whose home link is lost goes by another, in order", "[pool]") {
  PoolLab lab(2);
  lab.bring_up();
  const unsigned home = congest_home(lab);
  Note& first = lab.send(7, {.qos = 0});
  lab.connection(home).lose();
  Note& second = lab.send(7, {.qos = 0});
  CHECK(lab.connection(1 - home).payloads() == Texts{"2", "3"});
  CHECK(first.handed_over);
  CHECK(second.handed_over);
}

TEST_CASE("QoS 0 stays with the link that took the place of a lost one, which comes back",
          "[pool]") {
  PoolLab lab(3);
  lab.bring_up();
  const auto send = [&] {
    const unsigned slot = lab.slot_of(lab.send(7, {.qos = 0}));
    lab.connection(slot).ack_all();  // so that nothing binds the device any more
    return slot;
  };
  const unsigned home = send();
  lab.connection(home).lose();
  lab.turn();
  const unsigned substitute = send();
  REQUIRE(substitute != home);
  lab.accept_until(3);
  for (int i = 0; i < 5; ++i)
    CHECK(send() == substitute);
}

TEST_CASE("what a device has pinned may go to another link once nothing of it is unacknowledged",
          "[pool]") {
  PoolLab lab(2, window_of(2));
  lab.bring_up();
  const unsigned busy = lab.slot_of(lab.send(1));
  Note& elsewhere = lab.send(2);
  lab.send(2);
  Note& last = lab.send(3);
  CHECK(lab.slot_of(last) == busy);
  Note& front = lab.send(1);
  Note& behind = lab.send(3);
  CHECK(behind.state() == State::Pinned);
  lab.connection(lab.slot_of(elsewhere)).ack_all();
  lab.turn();
  CHECK(behind.state() == State::Pinned);
  lab.acknowledge(last);
  lab.turn();
  CHECK(lab.slot_of(front) == busy);
  CHECK(lab.slot_of(behind) == 1 - busy);
}
