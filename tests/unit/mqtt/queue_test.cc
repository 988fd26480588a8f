// The limits of a pool's queue, and what is said to those who find no room.
#include <chrono>
#include <string>
#include <vector>

#include "pool_lab.h"

using namespace sluice;
using namespace sluice::mqtt;
using Texts = std::vector<std::string>;

namespace {

/// The limits of the queue in messages; its bytes do not matter.
std::function<void(config::Broker&)> queue_of(std::size_t messages) {
  return [messages](config::Broker& broker) {
    broker.max_inflight = 1;
    broker.queue_messages = messages;
  };
}

}  // namespace

TEST_CASE("the queue takes messages up to its limit", "[pool]") {
  PoolLab lab(1, queue_of(8));
  lab.bring_up();
  lab.send(0);
  for (int device = 1; device <= 8; ++device) {
    CHECK(lab.ask(device) == Admission::Welcome);
    lab.send(device);
  }
  CHECK(lab.pool->queued() == 8);
  CHECK(lab.ask(9) == Admission::NoRoom);
}

TEST_CASE("the queue takes bytes up to its limit, and any one message if it is empty", "[pool]") {
  PoolLab lab(1, [](config::Broker& broker) {
    broker.max_inflight = 1;
    broker.queue_bytes = 10000;
  });
  lab.bring_up();
  lab.send(0);
  CHECK(lab.ask(1, {.bytes = 50000}) == Admission::Welcome);
  lab.send(1, {.bytes = 6000});
  CHECK(lab.pool->queued_bytes() == 6000);
  CHECK(lab.ask(2, {.bytes = 4000}) == Admission::Welcome);
  CHECK(lab.ask(2, {.bytes = 4001}) == Admission::NoRoom);
}

TEST_CASE("who found no room is told once the queue is below three quarters", "[pool]") {
  PoolLab lab(1, queue_of(8));
  lab.bring_up();
  for (int device = 0; device <= 8; ++device)
    lab.send(device);
  REQUIRE(lab.ask(9) == Admission::NoRoom);
  for (int left = 7; left >= 6; --left) {
    lab.connection().ack();
    lab.turn();
    CHECK(lab.pool->queued() == static_cast<std::size_t>(left));
    CHECK(lab.rooms == 0);
  }
  lab.connection().ack();
  lab.turn();
  CHECK(lab.pool->queued() == 5);
  CHECK(lab.pool->is_below_low_mark());
  CHECK(lab.rooms == 1);
  lab.connection().ack();
  lab.turn();
  CHECK(lab.rooms == 1);  // nobody has asked since
}

TEST_CASE("room made by messages given up is told, too", "[pool]") {
  PoolLab lab(1, queue_of(4));
  lab.bring_up();
  std::vector<Note*> queued;
  lab.send(0);
  for (int device = 1; device <= 4; ++device)
    queued.push_back(&lab.send(device));
  REQUIRE(lab.ask(9) == Admission::NoRoom);
  for (Note* note : queued)
    lab.give_up(*note);
  lab.turn();
  CHECK(lab.rooms == 1);
}

TEST_CASE("one link's line takes no more than half of the queue", "[pool]") {
  PoolLab lab(2, queue_of(8));
  lab.bring_up();
  lab.send(7);
  for (int i = 0; i < 4; ++i) {
    CHECK(lab.ask(7) == Admission::Welcome);
    lab.send(7);
  }
  CHECK(lab.ask(7) == Admission::NoRoomInLine);
  CHECK(lab.ask(8) == Admission::Welcome);
}

TEST_CASE("who found no room in a line is told when there may be some", "[pool]") {
  PoolLab lab(2, queue_of(8));
  lab.bring_up();
  const unsigned slot = lab.slot_of(lab.send(7));
  for (int i = 0; i < 4; ++i)
    lab.send(7);
  REQUIRE(lab.ask(7) == Admission::NoRoomInLine);
  lab.connection(slot).ack();
  lab.turn();
  CHECK(lab.rooms == 1);
  CHECK(lab.ask(7) == Admission::Welcome);
}

TEST_CASE("a broker that was never there holds what fits and is dead for the rest", "[pool]") {
  PoolLab lab(1, queue_of(2));
  lab.pool->start();
  lab.turn();
  CHECK(lab.pool->is_dead());
  CHECK(lab.ask(1) == Admission::Welcome);
  lab.send(1);
  lab.send(2);
  CHECK(lab.ask(3) == Admission::Dead);
  lab.accept_until(1);
  CHECK_FALSE(lab.pool->is_dead());
}

TEST_CASE("a broker without connections is slow until dead_after, then dead", "[pool]") {
  PoolLab lab(1, [](config::Broker& broker) {
    broker.max_inflight = 1;
    broker.queue_messages = 1;
    broker.dead_after = Duration(20);
  });
  lab.bring_up();
  lab.send(1);
  lab.send(2);
  lab.connection().lose();
  CHECK_FALSE(lab.pool->is_dead());
  REQUIRE(lab.ask(3) == Admission::NoRoom);
  CHECK(lab.run_until([&] { return lab.rooms == 1; }) == Duration(20));  // who waits is told
  CHECK(lab.pool->is_dead());
  CHECK(lab.ask(3) == Admission::Dead);
}
