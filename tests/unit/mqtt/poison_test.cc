// Which message is to blame where the broker hangs up, and which is not.
#include <string>
#include <vector>

#include "mqtt/reason_codes.h"
#include "pool_lab.h"

using namespace sluice;
using namespace sluice::mqtt;
using Texts = std::vector<std::string>;

namespace {

/// Loses the only link's connection and has it connected again.
void reconnect(PoolLab& lab, Loss::Kind kind = Loss::Kind::Silent) {
  lab.connection().lose(kind);
  lab.accept_until(1);
}

}  // namespace

TEST_CASE("a message on which the broker hangs up twice is rejected, published unknown",
          "[link][poison]") {
  PoolLab lab;
  lab.bring_up();
  Note& poison = lab.send(1);
  reconnect(lab, Loss::Kind::HungUp);
  CHECK(poison.times_done == 0);
  CHECK(lab.connection().payloads() == Texts{"1"});
  reconnect(lab, Loss::Kind::HungUp);
  CHECK(poison.is(Outcome::Kind::Rejected));
  CHECK(poison.outcome.may_be_published);
  CHECK(lab.connection().sent.empty());
}

TEST_CASE("after a hang-up the suspects go one by one, and only the guilty is rejected",
          "[link][poison]") {
  PoolLab lab;
  lab.bring_up();
  Note& before = lab.send(1);
  Note& poison = lab.send(2);
  Note& after = lab.send(3);
  reconnect(lab, Loss::Kind::HungUp);
  CHECK(lab.connection().payloads() == Texts{"1"});
  lab.connection().ack();
  lab.turn();
  CHECK(lab.connection().payloads() == Texts{"1", "2"});
  reconnect(lab, Loss::Kind::HungUp);
  CHECK(poison.is(Outcome::Kind::Rejected));
  CHECK(lab.connection().payloads() == Texts{"3"});
  lab.connection().ack();
  CHECK(before.is_acknowledged());
  CHECK(after.is_acknowledged());
}

TEST_CASE("a newer message that travelled with a suspect is not blamed for it", "[link][poison]") {
  PoolLab lab;
  lab.bring_up();
  Note& poison = lab.send(1);
  reconnect(lab, Loss::Kind::HungUp);
  Note& innocent = lab.send(2);
  for (int i = 0; i < 3 && poison.times_done == 0; ++i)
    reconnect(lab, Loss::Kind::HungUp);
  CHECK(poison.is(Outcome::Kind::Rejected));
  lab.turn();
  CHECK(lab.connection().payloads() == Texts{"2"});
  lab.connection().ack();
  CHECK(innocent.is_acknowledged());
}

TEST_CASE("hang-ups around a broker that was down are forgiven", "[link][poison]") {
  PoolLab lab;
  lab.bring_up();
  Note& note = lab.send(1);
  for (int i = 0; i < 4; ++i) {
    lab.connection().lose(Loss::Kind::HungUp);
    lab.run_until([&] { return lab.broker.pending() == 1; });
    lab.connection().fail();
    lab.accept_until(1);
    CHECK(lab.connection().payloads() == Texts{"1"});
  }
  CHECK(note.times_done == 0);
  lab.connection().ack();
  CHECK(note.is_acknowledged());
}

TEST_CASE("a connection that fell silent blames nobody", "[link][poison]") {
  PoolLab lab;
  lab.bring_up();
  Note& note = lab.send(1);
  for (int i = 0; i < 4; ++i)
    reconnect(lab, Loss::Kind::Silent);
  CHECK(note.times_done == 0);
}

TEST_CASE("the second hang-up is judged only when the broker is back", "[link][poison]") {
  PoolLab lab;
  lab.bring_up();
  Note& note = lab.send(1);
  reconnect(lab, Loss::Kind::HungUp);
  lab.connection().lose(Loss::Kind::HungUp);
  CHECK(note.times_done == 0);
  lab.run_until([&] { return lab.broker.pending() == 1; });
  lab.connection().fail();  // it was down
  lab.accept_until(1);
  CHECK(lab.connection().payloads() == Texts{"1"});
  CHECK(note.times_done == 0);
}

TEST_CASE("a broker that says why it hung up, and it is no message, blames none",
          "[link][poison]") {
  for (const int code : {reason::kServerShuttingDown, reason::kAdministrativeAction,
                         reason::kServerBusy, reason::kKeepAliveTimeout}) {
    PoolLab lab;
    lab.bring_up();
    Note& note = lab.send(1);
    for (int i = 0; i < 3; ++i) {
      lab.connection().lose(Loss::Kind::HungUp, code);
      lab.accept_until(1);
    }
    CHECK(note.times_done == 0);
    CHECK(lab.connection().payloads() == Texts{"1"});
  }
}

TEST_CASE("links on which the broker hangs up together have no message to blame",
          "[link][poison]") {
  PoolLab lab(2);
  lab.bring_up();
  Note& one = lab.send(1);
  Note& two = lab.send(2);
  for (int i = 0; i < 3; ++i) {
    lab.connection(0).lose(Loss::Kind::HungUp);
    lab.connection(1).lose(Loss::Kind::HungUp);
    lab.accept_until(2);
  }
  CHECK(one.times_done + two.times_done == 0);
  CHECK(lab.connection(lab.slot_of(one)).unacked.size() == 1);
}

TEST_CASE("what a rejected message held up goes on", "[link][poison]") {
  PoolLab lab(1, [](config::Broker& broker) { broker.max_inflight = 1; });
  lab.bring_up();
  Note& poison = lab.send(7);
  Note& behind = lab.send(7);
  reconnect(lab, Loss::Kind::HungUp);
  reconnect(lab, Loss::Kind::HungUp);
  CHECK(poison.is(Outcome::Kind::Rejected));
  CHECK(lab.connection().payloads() == Texts{"2"});
  lab.connection().ack();
  CHECK(behind.is_acknowledged());
}
