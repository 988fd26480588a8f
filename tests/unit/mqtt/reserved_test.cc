// Room that is reserved for the client being served.
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "pool_lab.h"

using namespace sluice;
using namespace sluice::mqtt;
using Devices = std::vector<std::int64_t>;

namespace {

std::function<void(config::Broker&)> limits(std::size_t queue) {
  return [=](config::Broker& broker) {
    broker.max_inflight = 1;
    broker.queue_messages = queue;
  };
}

/// Each request that is served is handed in, and for the first one so much room is reserved.
void accept_and_reserve(PoolLab& lab, unsigned requests) {
  lab.on_served = [&lab, requests](const protocol::Request& served) {
    lab.hand_in(served.device_id);
    if (lab.rooms.size() == 1) lab.pool->reserve(served, requests);
  };
}

void acknowledge_three(PoolLab& lab, unsigned slot) {
  for (int i = 0; i < 3; ++i) {
    lab.connection(slot).ack();
    lab.turn();
  }
}

}  // namespace

TEST_CASE("reserved room is taken for everybody but those who use it", "[reserved]") {
  PoolLab lab(1, limits(8));
  lab.bring_up();
  for (int device = 0; device <= 5; ++device)
    lab.send(device);
  Note& like = lab.make(9);
  CHECK(lab.pool->room_for(like.own, 31) == 3);
  CHECK(lab.pool->room_for(like.own, 2) == 2);
  lab.pool->reserve(like.own, 2);
  CHECK(lab.ask(10) == Admission::Accept);
  lab.send(10);
  CHECK(lab.ask(11) == Admission::QueueFull);
  lab.pool->use_reserved(like.own, like.own.bytes());
  CHECK(lab.ask(11) == Admission::Accept);
  lab.send(9);
  CHECK(lab.ask(11) == Admission::QueueFull);
  lab.pool->release_reserved(1, like.own.bytes());
  CHECK(lab.ask(11) == Admission::Accept);
}

TEST_CASE("room is measured in bytes, too, and a dead broker has none", "[reserved]") {
  PoolLab lab(1, [](config::Broker& broker) {
    broker.max_inflight = 1;
    broker.queue_bytes = 10000;
  });
  Note& like = lab.make(9, {.bytes = 3000});
  CHECK(lab.pool->room_for(like.own, 31) == 0);  // no connection since the start
  lab.bring_up();
  CHECK(lab.pool->room_for(like.own, 31) == 3);
  lab.pool->reserve(like.own, 2);
  CHECK(lab.ask(1, {.bytes = 4000}) == Admission::Accept);
  CHECK(lab.ask(1, {.bytes = 4001}) == Admission::QueueFull);
  lab.pool->release_reserved(2, like.own.bytes());
}

TEST_CASE("what stopped at reserved room goes on once that is released", "[reserved]") {
  PoolLab lab(1, limits(8));
  lab.bring_up();
  for (int device = 0; device <= 8; ++device)
    lab.send(device);
  for (int device = 20; device <= 23; ++device)
    lab.wait(device);
  accept_and_reserve(lab, 2);
  acknowledge_three(lab, 0);
  CHECK(lab.rooms == Devices{20});
  lab.pool->release_reserved(2, lab.make(20).own.bytes());
  lab.turn();
  CHECK(lab.rooms == Devices{20, 21, 22});  // the queue is above its low mark all the time
  CHECK(lab.pool->queued() == 8);
}

TEST_CASE("room is reserved in the backlog that was waited for, too", "[reserved]") {
  PoolLab lab(2, limits(16));  // a backlog has half of it
  lab.bring_up();
  const unsigned slot = lab.slot_of(lab.send(7));
  for (int i = 0; i < 8; ++i)
    lab.send(7);
  for (int i = 0; i < 5; ++i)
    lab.wait(7);
  accept_and_reserve(lab, 2);
  acknowledge_three(lab, slot);
  CHECK(lab.rooms == Devices{7});
  CHECK(lab.ask(8) == Admission::Accept);  // which is not pinned to that link

  Note& next = lab.make(7);
  lab.pool->use_reserved(next.own, next.own.bytes());
  CHECK(lab.pool->admission(next.own, /*in_turn=*/true) == Admission::Accept);
  lab.hand_in(7);
  CHECK(lab.pool->admission(next.own, /*in_turn=*/true) == Admission::LinkBacklogFull);
  lab.turn();
  CHECK(lab.rooms == Devices{7});
  lab.pool->release_reserved(1, next.own.bytes());
  lab.turn();
  CHECK(lab.rooms == Devices{7, 7});
}

TEST_CASE("a slot with reserved room in its backlog may go", "[reserved]") {
  PoolLab lab(2, limits(16));
  lab.bring_up();
  Note& bound = lab.send(7);
  const unsigned slot = lab.slot_of(bound);
  lab.pool->reserve(bound.own, 2);
  lab.acknowledge(bound);
  lab.change([&](PoolSettings& settings) {
    settings.broker.connections = 1;
    settings.client_ids = {"c" + std::to_string(slot == 0 ? 1 : 0)};
  });
  lab.run_until([&] {
    lab.broker.accept_pending();
    return lab.pool->connections() == 1;
  });
  lab.pool->release_reserved(2, bound.own.bytes());
  CHECK(lab.pool->room_for(bound.own, 31) == 16);
}
