// Which message is rejected where the broker disconnects because of it, and which is not.
#include <string>
#include <vector>

#include "mqtt/reason_codes.h"
#include "pool_lab.h"

using namespace sluice;
using namespace sluice::mqtt;
using Texts = std::vector<std::string>;

namespace {

/// Loses the connection of this slot, while the others stay up, and lets it reconnect.
void reconnect(PoolLab& lab, unsigned slot, Loss::Kind kind = Loss::Kind::Disconnected) {
  lab.connection(slot).lose(kind);
  lab.accept_until(lab.pool->connections());
}

/// Two links, and messages of one device, which all take the same one.
struct Suspects {
  explicit Suspects(int count) {
    lab.bring_up();
    for (int i = 0; i < count; ++i)
      notes.push_back(&lab.send(1));
    slot = lab.slot_of(*notes.front());
  }
  Texts sent() const { return lab.connection(slot).payloads(); }
  void disconnect() { reconnect(lab, slot); }
  void wait_for(const Texts& payloads) {
    lab.run_until([&] { return sent() == payloads; });
  }

  PoolLab lab{2};
  std::vector<Note*> notes;
  unsigned slot = 0;
};

}  // namespace

TEST_CASE(
    "the oldest of two disconnects goes alone, and at two more it is rejected, published unknown",
    "[link][poison]") {
  Suspects test(1);
  const Note& poison = *test.notes[0];
  test.disconnect();
  CHECK(test.sent() == Texts{"1"});
  for (int alone = 0; alone < 2; ++alone) {
    test.disconnect();
    CHECK(poison.times_done == 0);
    CHECK(test.sent().empty());  // first the connection has to be idle for a while
    test.wait_for({"1"});
  }
  test.disconnect();
  CHECK(poison.is(DeliveryOutcome::Kind::Rejected));
  CHECK(poison.outcome.may_be_published);
  CHECK(test.sent().empty());
}

TEST_CASE("a repeat of a poison message costs no connection for a minute", "[pool][poison]") {
  Suspects test(1);
  for (int death = 0; death < 4; ++death) {
    test.disconnect();
    test.lab.advance(std::chrono::seconds(1));
  }
  REQUIRE(test.notes[0]->is(DeliveryOutcome::Kind::Rejected));
  const auto refused = [&](std::int64_t device) {
    return test.lab.pool->refusal_of(test.lab.make(device)).has_value();
  };
  CHECK(refused(1));
  CHECK_FALSE(refused(2));
  test.lab.advance(std::chrono::seconds(55));
  CHECK(refused(1));
  test.lab.advance(std::chrono::seconds(6));
  CHECK_FALSE(refused(1));
}

TEST_CASE("the latest 64 topics that were rejected are remembered", "[poison]") {
  RejectedTopics rejected;
  const TimePoint now{std::chrono::hours(1)};
  for (int device = 0; device < 65; ++device)
    rejected.add(device, "t", device, now);
  CHECK(rejected.find(0, "t", now) == -1);
  CHECK(rejected.find(1, "t", now) == 1);
  CHECK(rejected.find(64, "t", now) == 64);
  CHECK(rejected.find(64, "u", now) == -1);
  CHECK(rejected.find(64, "t", now + RejectedTopics::kKept) == -1);
}

TEST_CASE("a connection that sluice ends for the broker's fault blames no message and no rival",
          "[link][poison]") {
  Suspects test(1);
  for (int i = 0; i < 8; ++i)
    reconnect(test.lab, test.slot, Loss::Kind::Faulty);
  CHECK(test.sent() == Texts{"1"});  // at once, each time
  CHECK(test.notes[0]->times_done == 0);
  CHECK(test.lab.pool->counters().taken_over == 0);
}

TEST_CASE("suspects go one by one, new messages wait, and only the poison is rejected",
          "[link][poison]") {
  Suspects test(3);
  test.disconnect();
  CHECK(test.sent() == Texts{"1", "2", "3"});
  test.disconnect();
  test.wait_for({"1"});
  Note& later = test.lab.send(1);
  test.lab.connection(test.slot).ack();
  test.lab.turn();
  CHECK(test.sent() == Texts{"1", "2"});
  test.disconnect();
  test.wait_for({"2"});
  test.disconnect();
  CHECK(test.notes[1]->is(DeliveryOutcome::Kind::Rejected));
  test.wait_for({"3"});
  test.lab.connection(test.slot).ack();
  test.lab.turn();
  CHECK(test.sent() == Texts{"3", "4"});
  test.lab.connection(test.slot).ack();
  CHECK(test.notes[0]->is_acknowledged());
  CHECK(test.notes[2]->is_acknowledged());
  CHECK(later.is_acknowledged());
}

TEST_CASE("a connection that is lost with nothing in flight clears all suspects",
          "[link][poison]") {
  Suspects test(1);
  test.disconnect();
  for (int round = 0; round < 6; ++round) {
    test.disconnect();  // to be sent alone from now on
    REQUIRE(test.sent().empty());
    test.disconnect();  // before it was sent: so it is not the message
    CHECK(test.sent() == Texts{"1"});
    test.disconnect();
    CHECK(test.sent() == Texts{"1"});
  }
  CHECK(test.notes[0]->times_done == 0);
}

TEST_CASE("the loss of the last connection does not count", "[link][poison]") {
  PoolLab lab;
  lab.bring_up();
  Note& note = lab.send(1);
  for (int i = 0; i < 6; ++i) {
    reconnect(lab, 0);
    CHECK(lab.connection().payloads() == Texts{"1"});
  }
  CHECK(note.times_done == 0);
}

TEST_CASE("disconnects with different oldest messages reject none", "[link][poison]") {
  Suspects test(6);
  for (int i = 0; i < 5; ++i) {
    test.disconnect();
    CHECK(test.sent().size() == static_cast<std::size_t>(6 - i));
    test.lab.connection(test.slot).ack();
  }
  for (const Note* note : test.notes)
    CHECK_FALSE(note->is(DeliveryOutcome::Kind::Rejected));
}

TEST_CASE("a message whose client was answered is not looked for", "[link][poison]") {
  Suspects test(2);
  for (int i = 0; i < 2; ++i)
    test.disconnect();
  test.wait_for({"1"});
  test.lab.give_up(*test.notes[0]);
  test.lab.turn();
  test.lab.accept_until(2);
  test.wait_for({"2"});
  CHECK(test.notes[0]->is(DeliveryOutcome::Kind::GivenUp));
}

TEST_CASE("disconnects around a broker that was down do not count", "[link][poison]") {
  Suspects test(1);
  for (int i = 0; i < 4; ++i) {
    test.lab.connection(test.slot).lose(Loss::Kind::Disconnected);
    test.lab.run_until([&] { return test.lab.broker.pending() == 1; });
    test.lab.connection(test.slot).fail();
    test.lab.accept_until(2);
    CHECK(test.sent() == Texts{"1"});
  }
  CHECK(test.notes[0]->times_done == 0);
}

TEST_CASE("attempts that a full broker leaves unanswered do not hide a poison message",
          "[link][poison]") {
  PoolLab lab(3, [](config::Broker& broker) {
    broker.reconnect_min = broker.reconnect_max = std::chrono::milliseconds(100);
  });
  lab.bring_up();
  Note& poison = lab.send(1);
  const unsigned slot = lab.slot_of(poison);
  for (int death = 0; death < 4; ++death) {
    lab.run_until([&] { return !lab.connection(slot).unacked.empty(); });
    lab.connection(slot).lose(Loss::Kind::Disconnected);
    lab.run_until([&] { return lab.connection(slot).is_pending(); });
    lab.connection(slot).end({Loss::Kind::Unanswered, 0, "full"});
    lab.run_until([&] { return lab.connection(slot).is_pending(); });
    lab.connection(slot).accept();
    lab.turn();
  }
  CHECK(poison.is(DeliveryOutcome::Kind::Rejected));
}

TEST_CASE("a connection that fell silent does not count", "[link][poison]") {
  Suspects test(1);
  for (int i = 0; i < 5; ++i) {
    reconnect(test.lab, test.slot, Loss::Kind::Silent);
    CHECK(test.sent() == Texts{"1"});
  }
  CHECK(test.notes[0]->times_done == 0);
}

TEST_CASE("the last disconnect counts only when the broker is back", "[link][poison]") {
  Suspects test(1);
  test.disconnect();
  for (int alone = 0; alone < 2; ++alone) {
    test.disconnect();
    test.wait_for({"1"});
  }
  test.lab.connection(test.slot).lose(Loss::Kind::Disconnected);
  test.lab.run_until([&] { return test.lab.broker.pending() == 1; });
  test.lab.connection(test.slot).fail();  // it was down
  test.lab.accept_until(2);
  CHECK(test.sent() == Texts{"1"});
  CHECK(test.notes[0]->times_done == 0);
}

TEST_CASE("a disconnect with a reason that is not about a message does not count",
          "[link][poison]") {
  for (const int code : {reason::kServerShuttingDown, reason::kAdministrativeAction,
                         reason::kServerBusy, reason::kKeepAliveTimeout}) {
    Suspects test(1);
    for (int i = 0; i < 5; ++i) {
      test.lab.connection(test.slot).lose(Loss::Kind::Disconnected, code);
      test.lab.accept_until(2);
      CHECK(test.sent() == Texts{"1"});
    }
    CHECK(test.notes[0]->times_done == 0);
  }
}

TEST_CASE("disconnects of all connections at once do not count", "[link][poison]") {
  PoolLab lab(2);
  lab.bring_up();
  Note& one = lab.send(1);
  Note& two = lab.send(2);
  for (int i = 0; i < 6; ++i) {
    lab.connection(0).lose(Loss::Kind::Disconnected);
    lab.connection(1).lose(Loss::Kind::Disconnected);
    lab.accept_until(2);
    CHECK(lab.connection(0).unacked.size() + lab.connection(1).unacked.size() == 2);
  }
  CHECK(one.times_done + two.times_done == 0);
}

TEST_CASE("two poison messages on two links are found beside each other", "[link][poison]") {
  PoolLab lab(3);
  lab.bring_up();
  Note& one = lab.send(1);
  Note& two = lab.send(2);
  const unsigned first = lab.slot_of(one);
  const unsigned second = lab.slot_of(two);
  for (int losses = 0; losses < 4; ++losses) {
    lab.run_until([&] {
      return lab.connection(first).unacked.size() + lab.connection(second).unacked.size() == 2;
    });
    lab.connection(first).lose(Loss::Kind::Disconnected);
    lab.connection(second).lose(Loss::Kind::Disconnected);
    lab.accept_until(3);
  }
  CHECK(one.is(DeliveryOutcome::Kind::Rejected));
  CHECK(two.is(DeliveryOutcome::Kind::Rejected));
}

TEST_CASE("what a rejected message held up goes on", "[link][poison]") {
  PoolLab lab(2, window_of(1));
  lab.bring_up();
  Note& poison = lab.send(7);
  Note& behind = lab.send(7);
  const unsigned slot = lab.slot_of(poison);
  reconnect(lab, slot);
  for (int alone = 0; alone < 2; ++alone) {
    reconnect(lab, slot);
    lab.run_until([&] { return lab.connection(slot).payloads() == Texts{"1"}; });
  }
  reconnect(lab, slot);
  CHECK(poison.is(DeliveryOutcome::Kind::Rejected));
  CHECK(lab.connection(lab.slot_of(behind)).payloads() == Texts{"2"});
  lab.acknowledge(behind);
  CHECK(behind.is_acknowledged());
}
