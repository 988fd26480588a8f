// when_dead = "refuse": what a dead broker was not handed is answered at once.
#include <chrono>
#include <string>

#include "log_capture.h"
#include "pool_lab.h"

using namespace sluice;
using namespace sluice::mqtt;

namespace {

constexpr Duration kDeadAfter{1000};

void refuse(config::Broker& broker) {
  broker.name = "o2o";
  broker.dead_after = kDeadAfter;
  broker.when_dead = config::WhenDead::Refuse;
  broker.max_inflight = 1;
  without_retries(broker);
}

/// Up, with one message of device 7 in flight.
struct Scene {
  explicit Scene(const std::function<void(config::Broker&)>& change = refuse) : lab(1, change) {
    lab.bring_up();
    sent = &lab.send(7);
  }
  void lose() {
    lab.connection().lose(Loss::Kind::Disconnected);
    lab.turn();
  }

  PoolLab lab;
  Note* sent = nullptr;
};

bool was_refused(const Note& note) {
  return note.is(DeliveryOutcome::Kind::GivenUp) && !note.outcome.may_be_published;
}

}  // namespace

TEST_CASE("a broker that was never connected takes nothing", "[when_dead]") {
  PoolLab lab(1, refuse);
  CHECK(lab.ask(7) == Admission::Dead);
  lab.bring_up();
  CHECK(lab.ask(7) == Admission::Accept);
}

TEST_CASE("until it is dead messages wait for it, then they are refused, queued ones included",
          "[when_dead]") {
  Scene scene;
  PoolLab& lab = scene.lab;
  Note& pinned = lab.send(7);
  Note& queued = lab.send(8);
  scene.lose();
  CHECK(lab.ask(9) == Admission::Accept);
  Note& late = lab.send(9);
  lab.advance(kDeadAfter - Duration(1));
  CHECK(lab.pool->queued() == 3);
  const LogCapture said;
  lab.advance(Duration(1));
  lab.turn();
  CHECK(was_refused(pinned));
  CHECK(was_refused(queued));
  CHECK(was_refused(late));
  CHECK(lab.ask(9) == Admission::Dead);
  CHECK(said.count("down: no connection for 1 s") == 1);
  CHECK(said.count("; requests are refused (when_dead)") == 1);
}

TEST_CASE("what was handed over is not refused, and is sent again", "[when_dead]") {
  Scene scene;
  PoolLab& lab = scene.lab;
  scene.lose();
  lab.advance(kDeadAfter);
  lab.turn();
  CHECK_FALSE(scene.sent->is_gone());
  lab.accept_until(1);
  lab.acknowledge(*scene.sent);
  CHECK(scene.sent->is_acknowledged());
  CHECK(lab.ask(9) == Admission::Accept);
}

TEST_CASE("a long queue is refused a part in each turn", "[when_dead]") {
  Scene scene;
  PoolLab& lab = scene.lab;
  constexpr int kMany = 5000;
  for (int i = 0; i < kMany; ++i)
    lab.hand_in(100 + i);
  lab.turn();
  scene.lose();
  std::size_t most = 0;
  std::size_t before = lab.pool->queued();
  REQUIRE(before == kMany);
  lab.loop.after_turn = [&] {
    most = std::max(most, before - lab.pool->queued());
    before = lab.pool->queued();
  };
  lab.advance(kDeadAfter);
  lab.turn();
  lab.loop.after_turn = nullptr;
  CHECK(most <= 2000);  // 1,000 at each of the two ends that a turn has
  CHECK(lab.pool->queued() == 0);
  CHECK(was_refused(lab.notes.back()));
}

TEST_CASE("a broker that is back before it counts as dead keeps its queue", "[when_dead]") {
  Scene scene([](config::Broker& broker) {
    refuse(broker);
    broker.dead_after = 10 * kDeadAfter;
  });
  PoolLab& lab = scene.lab;
  for (int i = 0; i < 1500; ++i)
    lab.hand_in(100 + i);
  lab.turn();
  scene.lose();
  lab.accept_until(1);
  lab.advance(20 * kDeadAfter);
  CHECK(lab.pool->queued() == 1500);
  lab.acknowledge(*scene.sent);
  lab.turn();
  CHECK(lab.pool->queued() == 1499);
}

TEST_CASE("requests that wait for room are offered again when the broker is dead", "[when_dead]") {
  Scene scene([](config::Broker& broker) {
    refuse(broker);
    broker.queue_messages = 1;
  });
  PoolLab& lab = scene.lab;
  lab.send(8);
  lab.wait(9);
  scene.lose();
  lab.advance(kDeadAfter);
  lab.turn();
  CHECK(lab.rooms == std::vector<std::int64_t>{9});
  CHECK(lab.ask(9) == Admission::Dead);
}

TEST_CASE("a reload turns it on for a broker that is dead already, and off", "[when_dead]") {
  Scene scene([](config::Broker& broker) {
    refuse(broker);
    broker.when_dead = config::WhenDead::Queue;
  });
  PoolLab& lab = scene.lab;
  scene.lose();
  Note& queued = lab.send(8);
  lab.advance(kDeadAfter);
  lab.turn();
  CHECK(lab.pool->queued() == 1);
  CHECK(lab.ask(9) == Admission::Accept);
  lab.change([](PoolSettings& to) { to.broker.when_dead = config::WhenDead::Refuse; });
  CHECK(lab.ask(9) == Admission::Dead);
  lab.advance(Duration(1));
  lab.turn();
  CHECK(was_refused(queued));
  lab.change([](PoolSettings& to) { to.broker.when_dead = config::WhenDead::Queue; });
  CHECK(lab.ask(9) == Admission::Accept);
}
