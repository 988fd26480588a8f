// Requests that wait for room: what wakes them, what does not, and in which order they are served.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <stdexcept>
#include <vector>

#include "mqtt/pool/waiters.h"
#include "pool_lab.h"

using namespace sluice;
using namespace sluice::mqtt;
using Devices = std::vector<std::int64_t>;

namespace {

/// A broker's limits in messages; bytes do not matter.
std::function<void(config::Broker&)> limits(unsigned window, std::size_t queue) {
  return [=](config::Broker& broker) {
    broker.max_inflight = window;
    broker.queue_messages = queue;
  };
}

/// Devices 7 and 8 are bound to one link, the slot of which is the result; 7 has filled its
/// backlog.
unsigned fill_backlog(PoolLab& lab, int backlog) {
  lab.send(7);
  lab.send(9);
  lab.send(8);
  const unsigned slot = lab.slot_of(lab.notes[0]);
  if (lab.slot_of(lab.notes[2]) != slot) throw std::runtime_error("they are apart");
  for (int i = 0; i < backlog; ++i)
    lab.send(7);
  return slot;
}

}  // namespace

// --- what wakes them
// ------------------------------------------------------------------------------

TEST_CASE("what waits for the queue is served once that is below three quarters", "[waiters]") {
  PoolLab lab(1, limits(1, 8));
  lab.bring_up();
  for (int device = 0; device <= 8; ++device)
    lab.send(device);
  lab.wait(9);
  for (std::size_t left = 7; left >= 6; --left) {
    lab.connection().ack();
    lab.turn();
    CHECK(lab.pool->queued() == left);
    CHECK(lab.rooms.empty());
  }
  lab.connection().ack();
  lab.turn();
  CHECK(lab.rooms == Devices{9});
  CHECK(lab.pool->waiters() == 0);
}

TEST_CASE("room made by messages given up serves what waits, too", "[waiters]") {
  PoolLab lab(1, limits(1, 4));
  lab.bring_up();
  std::vector<Note*> queued;
  lab.send(0);
  for (int device = 1; device <= 4; ++device)
    queued.push_back(&lab.send(device));
  lab.wait(9);
  for (Note* note : queued)
    lab.give_up(*note);
  lab.turn();
  CHECK(lab.rooms == Devices{9});
}

TEST_CASE("what waits behind a larger request is served when that one leaves", "[waiters]") {
  PoolLab lab(1, [](config::Broker& broker) {
    broker.max_inflight = 1;
    broker.queue_bytes = 10000;
  });
  lab.bring_up();
  for (int device = 0; device <= 2; ++device)
    lab.send(device, {.bytes = 4000});
  Waiter& large = lab.wait(3, {.bytes = 9000});
  lab.wait(4, {.bytes = 500});
  lab.connection().ack();
  lab.turn();
  CHECK(lab.rooms.empty());  // it keeps its turn
  lab.pool->stop_waiting(large);
  lab.turn();
  CHECK(lab.rooms == Devices{4});
}

TEST_CASE("what waits for a link's backlog is served once that is below three quarters",
          "[waiters]") {
  PoolLab lab(2, limits(1, 8));
  lab.bring_up();
  const unsigned slot = lab.slot_of(lab.send(7));
  for (int i = 0; i < 4; ++i)
    lab.send(7);
  lab.wait(7);
  lab.connection(slot).ack();
  lab.turn();
  CHECK(lab.rooms.empty());
  lab.connection(slot).ack();
  lab.turn();
  CHECK(lab.rooms == Devices{7});
}

TEST_CASE("what waits for a full backlog is not looked at while others come and go",
          "[waiters][flat]") {
  PoolLab lab(2, limits(2, 8));
  lab.bring_up();
  fill_backlog(lab, 4);
  for (int i = 0; i < 1000; ++i)
    lab.wait(7 + i % 2);
  for (int i = 0; i < 50; ++i) {
    Note& other = lab.send(100 + i);
    CHECK(other.handed_over);
    lab.acknowledge(other);
    lab.turn();
  }
  CHECK(lab.rooms.empty());
  CHECK(lab.pool->waiters() == 1000);
}

TEST_CASE("what waits for a link's backlog waits for the queue once its device is not bound there",
          "[waiters]") {
  PoolLab lab(2, limits(2, 8));
  lab.bring_up();
  fill_backlog(lab, 4);
  lab.wait(7);
  lab.wait(8);
  lab.wait(8);
  lab.acknowledge(lab.notes[2]);  // the only one of device 8
  lab.turn();
  CHECK(lab.rooms == Devices{8, 8});
}

TEST_CASE("what waits for the backlog of a link that is lost waits for its return", "[waiters]") {
  PoolLab lab(2, limits(2, 8));
  lab.bring_up();
  const unsigned slot = fill_backlog(lab, 4);
  lab.wait(7);
  lab.wait(8);
  lab.connection(slot).lose();
  CHECK(lab.ask(8) == Admission::LinkBacklogFull);  // both devices are still pinned there
  CHECK(lab.ask(20) == Admission::Accept);
  lab.accept_until(2);
  CHECK(lab.rooms.empty());
  lab.connection(slot).ack_all();
  lab.turn();
  CHECK(lab.rooms.size() == 2);
}

TEST_CASE("what waits for the backlog of a slot that is not wanted any more is served",
          "[waiters]") {
  PoolLab lab(2, limits(2, 8));
  lab.bring_up();
  const unsigned slot = fill_backlog(lab, 4);
  if (slot == 0) lab.acknowledge(lab.notes[1]);
  lab.wait(7);
  lab.wait(8);
  lab.change([](PoolSettings& settings) { settings.client_ids = PoolLab::identifiers(1); });
  for (int i = 0; i < 20; ++i) {
    for (unsigned each = 0; each < lab.pool->connections(); ++each)
      lab.connection(each).ack_all();
    lab.turn();
  }
  CHECK(lab.pool->connections() == 1);
  CHECK(lab.rooms.size() == 2);
}

TEST_CASE("a broker that is found dead wakes all, whatever they wait for", "[waiters]") {
  PoolLab lab(2, [](config::Broker& broker) {
    limits(1, 8)(broker);
    broker.dead_after = Duration(1);
    broker.reconnect_min = std::chrono::hours(1);
    broker.reconnect_max = std::chrono::hours(1);
  });
  lab.bring_up();
  const unsigned slot = lab.slot_of(lab.send(7));
  for (int i = 0; i < 4; ++i)
    lab.send(7);
  for (int device = 10; device < 15; ++device)
    lab.send(device);
  lab.wait(7);
  lab.wait(20);
  lab.wait(7);
  lab.connection(slot).lose();
  lab.connection(1 - slot).lose();
  lab.run_until([&] { return lab.rooms.size() == 3; });
  CHECK(lab.pool->is_dead());
  CHECK(lab.ask(7) == Admission::Dead);
}

// --- who waits behind them
// ------------------------------------------------------------------------

TEST_CASE("others wait behind those that wait, but for the client that is served", "[waiters]") {
  PoolLab lab(1, limits(1, 8));
  lab.bring_up();
  for (int device = 0; device <= 8; ++device)
    lab.send(device);
  lab.wait(9);
  lab.connection().ack();
  lab.turn();
  REQUIRE(lab.pool->queued() == 7);
  CHECK(lab.ask(10) == Admission::QueueFull);
  CHECK(lab.pool->admission(lab.make(10).own, /*in_turn=*/true) == Admission::Accept);
  lab.run_until([&] {
    lab.connection().ack_all();
    return lab.rooms.size() == 1;
  });
  CHECK(lab.ask(10) == Admission::Accept);
}

TEST_CASE("those that wait for a link's backlog have only their device's requests behind them",
          "[waiters]") {
  PoolLab lab(2, limits(2, 8));
  lab.bring_up();
  const unsigned slot = fill_backlog(lab, 4);
  for (int device = 10; device < 13; ++device)
    lab.send(device);  // the other link's window, and three quarters of the queue
  REQUIRE(lab.pool->queued() == 6);
  lab.wait(7);
  lab.connection(slot).ack();
  lab.turn();
  CHECK(lab.ask(7) == Admission::LinkBacklogFull);
  CHECK(lab.ask(20) == Admission::Accept);
}

// --- turns
// ----------------------------------------------------------------------------------------

namespace {

/// Waiters by the numbers of their devices, and the order in which they are served.
class Queue {
 public:
  ~Queue() {
    for (Waiter& waiter : waiters_) {
      if (waiter.device != nullptr) waiters.remove(waiter);
    }
  }
  void add(std::int64_t device, WaitList& list) {
    requests_.push_back(protocol::Request::make("t", ""));
    requests_.back().device_id = device;
    requests_.back().qos = 1;
    waiters.add(waiters_.emplace_back(), requests_.back(), list);
  }
  Devices serve(std::size_t most = 1000) {
    Devices served;
    while (served.size() < most && waiters.next() != nullptr) {
      served.push_back(waiters.next()->wanted->device_id);
      waiters.pop();
    }
    return served;
  }

  Waiters waiters;
  WaitList queue;
  WaitList backlog;

 private:
  std::deque<protocol::Request> requests_;
  std::deque<Waiter> waiters_;
};

}  // namespace

TEST_CASE("devices take turns, in the order in which they came", "[waiters]") {
  Queue all;
  for (const std::int64_t device : {1, 2, 1, 3})
    all.add(device, all.queue);
  CHECK(all.serve().empty());  // there is no room yet
  all.waiters.wake(all.queue);
  CHECK(all.serve() == Devices{1, 2, 3, 1});
  CHECK(all.waiters.size() == 0);
}

TEST_CASE("a device with many waiters has as many turns in each round", "[waiters]") {
  Queue all;
  for (int i = 0; i < 5; ++i)
    all.add(1, all.queue);
  all.waiters.wake(all.queue);
  CHECK(all.serve(1) == Devices{1});
  for (int i = 0; i < 2; ++i) {
    all.add(2, all.queue);
    all.add(3, all.queue);
  }
  CHECK(all.serve() == Devices{1, 1, 1, 1, 2, 3, 2, 3});
}

TEST_CASE("lists take turns, each for as many waiters as it has", "[waiters]") {
  Queue all;
  for (const std::int64_t device : {1, 2, 3})
    all.add(device, all.queue);
  all.waiters.wake(all.queue);
  for (const std::int64_t device : {11, 12})
    all.add(device, all.backlog);
  all.waiters.wake(all.backlog);
  all.add(4, all.queue);
  CHECK(all.serve() == Devices{1, 2, 3, 11, 12, 4});
}

TEST_CASE("a list that rests is passed over, and a device goes to another one with its waiters",
          "[waiters]") {
  Queue all;
  for (const std::int64_t device : {1, 2, 1})
    all.add(device, all.backlog);
  all.add(3, all.queue);
  all.waiters.wake(all.queue);
  CHECK(all.serve() == Devices{3});
  all.waiters.move(*all.waiters.find(1, /*qos=*/1), all.queue);
  all.waiters.wake(all.queue);
  CHECK(all.serve() == Devices{1, 1});
  all.waiters.wake(all.backlog);
  CHECK(all.serve() == Devices{2});
  CHECK_FALSE(all.waiters.is_any_awake());
}

TEST_CASE("what waits for a backlog behind a larger request is served when that one leaves",
          "[waiters]") {
  PoolLab lab(2, [](config::Broker& broker) {
    broker.max_inflight = 2;
    broker.queue_messages = 1000;
    broker.queue_bytes = 10000;
  });
  lab.bring_up();
  for (const std::int64_t device : {7, 9, 8})
    lab.send(device);
  const unsigned slot = lab.slot_of(lab.notes[0]);
  REQUIRE(lab.slot_of(lab.notes[2]) == slot);
  for (int i = 0; i < 4; ++i)
    lab.send(7, {.bytes = 1000});
  Waiter& large = lab.wait(7, {.bytes = 4000});
  lab.wait(8, {.bytes = 500});
  lab.connection(slot).ack();
  lab.turn();
  CHECK(lab.rooms.empty());
  lab.pool->stop_waiting(large);
  lab.turn();
  CHECK(lab.rooms == Devices{8});
}

TEST_CASE("the turns of those that leave a list are not others'", "[waiters]") {
  Queue all;
  std::deque<protocol::Request> requests;
  std::deque<Waiter> leaving;
  for (int i = 0; i < 100; ++i) {
    requests.push_back(protocol::Request::make("t", ""));
    requests.back().device_id = 1000 + i;
    requests.back().qos = 1;
    all.waiters.add(leaving.emplace_back(), requests.back(), all.queue);
  }
  all.waiters.wake(all.queue);
  for (const std::int64_t device : {1, 2})
    all.add(device, all.backlog);
  all.waiters.wake(all.backlog);
  for (std::size_t i = 0; i < 99; ++i)
    all.waiters.remove(leaving[i]);
  for (int i = 0; i < 50; ++i)
    all.add(5000 + i, all.queue);
  const Devices served = all.serve();
  CHECK(std::find(served.begin(), served.end(), 1) - served.begin() < 5);
}
