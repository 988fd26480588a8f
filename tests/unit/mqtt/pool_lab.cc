#include "pool_lab.h"

#include <chrono>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/log.h"

namespace sluice::mqtt {

PoolLab::PoolLab(unsigned links, const std::function<void(config::Broker&)>& change) {
  log::Settings quiet;
  quiet.level = log::Level::Error;
  CHECK(log::configure(quiet));
  config::Broker to;
  to.name = "b";
  to.host = "127.0.0.1";
  to.url = "mqtt://127.0.0.1:1883";
  to.connections = links;
  to.connect_timeout = std::chrono::hours(1);
  to.ack_timeout = std::chrono::hours(1);
  to.reconnect_min = Duration(1);  // with jitter less than one: at once
  to.reconnect_max = Duration(1);
  to.dead_after = std::chrono::hours(1);
  if (change) change(to);
  settings = {to, identifiers(links), broker.factory()};
  pool = std::make_unique<Pool>(loop, *this, random, settings);
}

PoolLab::~PoolLab() {
  for (Note& note : notes)
    give_up(note);
  for (Waiter& waiter : waiters_)
    pool->stop_waiting(waiter);
  pool->stop();
  pool->close_now();
  for (const Note& note : notes)
    CHECK(note.is_gone());
  CHECK(pool->in_flight() == 0);
  CHECK(pool->queued() == 0);
  CHECK(pool->queued_bytes() == 0);
  CHECK(pool->is_stopped());
}

std::vector<std::string> PoolLab::identifiers(unsigned count, const std::string& prefix) {
  std::vector<std::string> all;
  for (unsigned slot = 0; slot < count; ++slot)
    all.push_back(prefix + std::to_string(slot));
  return all;
}

void PoolLab::change(const std::function<void(PoolSettings&)>& change) {
  change(settings);
  broker.key = settings.connection_key;
  pool->reconfigure(settings);
}

void PoolLab::bring_up(const Connack& connack) {
  pool->start();
  accept_until(pool->connections(), connack);
}

void PoolLab::accept_until(std::size_t ready, const Connack& connack) {
  run_until([&] {
    if (pool->ready_links() < ready) broker.accept_pending(connack);
    return pool->ready_links() >= ready;
  });
  turn();
}

Note& PoolLab::make(std::int64_t device, const NoteOptions& options) {
  Note& note = notes.emplace_back();
  note.number = static_cast<int>(notes.size());
  std::string payload = std::to_string(note.number);
  const std::size_t smallest = protocol::Request::make("t", payload).bytes();
  if (options.bytes > smallest) payload.append(options.bytes - smallest, '.');
  note.own = protocol::Request::make("t", payload);
  note.own.device_id = device;
  note.own.qos = options.qos;
  note.own.retain = options.retain;
  note.set_request(note.own);
  return note;
}

Note& PoolLab::hand_in(std::int64_t device, const NoteOptions& options) {
  Note& note = make(device, options);
  pool->accept(note);
  return note;
}

Note& PoolLab::send(std::int64_t device, const NoteOptions& options) {
  Note& note = hand_in(device, options);
  turn();
  return note;
}

void PoolLab::give_up(Note& note) {
  if (note.is_gone() || note.given_up) return;
  note.given_up = true;
  pool->give_up(note);
}

Admission PoolLab::ask(std::int64_t device, const NoteOptions& options) {
  const Note& note = make(device, options);
  return pool->admission(note.own, /*in_turn=*/false);
}

Waiter& PoolLab::wait(std::int64_t device, const NoteOptions& options) {
  const Note& note = make(device, options);
  return wait(note, pool->admission(note.own, /*in_turn=*/false));
}

Waiter& PoolLab::wait(const Note& note, Admission refused) {
  REQUIRE((refused == Admission::QueueFull || refused == Admission::LinkBacklogFull));
  pool->wait(waiters_.emplace_back(), note.own, refused);
  return waiters_.back();
}

Connection& PoolLab::connection(unsigned slot) const {
  return broker.latest("c" + std::to_string(slot));
}

unsigned PoolLab::slot_of(const Note& note) const {
  for (unsigned slot = 0; slot < pool->connections(); ++slot) {
    for (const Sent& one : connection(slot).sent) {
      if (one.request == &note.own) return slot;
    }
  }
  throw std::runtime_error("handed to no connection");
}

void PoolLab::acknowledge(const Note& note) {
  Connection& on = connection(slot_of(note));
  for (std::size_t place = 0; place < on.unacked.size(); ++place) {
    if (on.unacked[place].request != &note.own) continue;
    on.ack(place);
    return;
  }
}

void PoolLab::on_done(Delivery& delivery) noexcept {
  Note& note = static_cast<Note&>(delivery);
  ++note.times_done;
  if (when_done) when_done(note);
}

void PoolLab::on_room(Waiter& waiter) noexcept {
  rooms.push_back(waiter.wanted->device_id);
  if (on_served) on_served(*waiter.wanted);
}

}  // namespace sluice::mqtt
