// The limits of a pool's queue, and the admission of requests beyond them.
#include <chrono>
#include <cstdint>
#include <vector>

#include "pool_lab.h"

using namespace sluice;
using namespace sluice::mqtt;
using Devices = std::vector<std::int64_t>;

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
    CHECK(lab.ask(device) == Admission::Accept);
    lab.send(device);
  }
  CHECK(lab.pool->queued() == 8);
  CHECK(lab.ask(9) == Admission::QueueFull);
}

TEST_CASE("the queue takes bytes up to its limit, and any one message if it is empty", "[pool]") {
  PoolLab lab(1, [](config::Broker& broker) {
    broker.max_inflight = 1;
    broker.queue_bytes = 10000;
  });
  lab.bring_up();
  lab.send(0);
  CHECK(lab.ask(1, {.bytes = 50000}) == Admission::Accept);
  lab.send(1, {.bytes = 6000});
  CHECK(lab.pool->queued_bytes() == 6000);
  CHECK(lab.ask(2, {.bytes = 4000}) == Admission::Accept);
  CHECK(lab.ask(2, {.bytes = 4001}) == Admission::QueueFull);
}

TEST_CASE("one link's backlog takes no more than half of the queue", "[pool]") {
  PoolLab lab(2, queue_of(8));
  lab.bring_up();
  lab.send(7);
  for (int i = 0; i < 4; ++i) {
    CHECK(lab.ask(7) == Admission::Accept);
    lab.send(7);
  }
  CHECK(lab.ask(7) == Admission::LinkBacklogFull);
  CHECK(lab.ask(8) == Admission::Accept);
}

TEST_CASE("a broker that was never there holds what fits and is dead for the rest", "[pool]") {
  PoolLab lab(1, queue_of(2));
  lab.pool->start();
  lab.turn();
  CHECK(lab.pool->is_dead());
  CHECK(lab.ask(1) == Admission::Accept);
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
  lab.wait(3);
  CHECK(lab.run_until([&] { return lab.rooms == Devices{3}; }) == Duration(20));  // to be answered
  CHECK(lab.pool->is_dead());
  CHECK(lab.ask(3) == Admission::Dead);
}
