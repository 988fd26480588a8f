// A pool between a scripted broker and a test that plays the ledger.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "catch.h"
#include "config/config.h"
#include "fake_transport.h"
#include "mqtt/pool/pool.h"
#include "test_loop.h"

namespace sluice::mqtt {

/// A message with its request and its outcome.
struct Note : Delivery {
  protocol::Request own;
  int number = 0;  ///< from 1, in the order of send(); also its payload's beginning
  bool given_up = false;
  int times_done = 0;

  /// The pool does not hold it, any more or yet.
  bool is_gone() const { return !is_held(); }
  bool is(DeliveryOutcome::Kind kind) const { return times_done == 1 && outcome.kind == kind; }
  bool is_acknowledged() const { return is(DeliveryOutcome::Kind::Acknowledged); }
};

struct NoteOptions {
  std::uint8_t qos = 1;
  bool retain = false;
  std::size_t bytes = 0;  ///< what it counts for; 0: the minimum
};

/// Settings with this max_inflight.
inline std::function<void(config::Broker&)> window_of(unsigned window) {
  return [window](config::Broker& broker) { broker.max_inflight = window; };
}
/// Settings with which a failed attempt is not repeated while the test runs.
inline void without_retries(config::Broker& broker) {
  broker.reconnect_min = std::chrono::hours(1);
  broker.reconnect_max = std::chrono::hours(1);
}

/// Ends with a closed loop, which proves that no handle is left.
class PoolLab final : public PoolEvents {
 public:
  explicit PoolLab(unsigned links = 1, const std::function<void(config::Broker&)>& change = {});
  ~PoolLab();
  PoolLab(const PoolLab&) = delete;
  PoolLab& operator=(const PoolLab&) = delete;

  /// Starts the pool and accepts every attempt until all links are ready.
  void bring_up(const Connack& connack = {});
  /// Accepts attempts until this many links are ready.
  void accept_until(std::size_t ready, const Connack& connack = {});

  Note& make(std::int64_t device, const NoteOptions& options = {});
  /// make() and accept().
  Note& hand_in(std::int64_t device, const NoteOptions& options = {});
  /// The same, and the turn's end.
  Note& send(std::int64_t device, const NoteOptions& options = {});
  void give_up(Note& note);
  /// admission() of such a message.
  Admission ask(std::int64_t device, const NoteOptions& options = {});
  /// Lets such a request wait; admission() must refuse it for lack of room.
  Waiter& wait(std::int64_t device, const NoteOptions& options = {});
  Waiter& wait(const Note& note, Admission refused);

  /// Gives the pool other settings.
  void change(const std::function<void(PoolSettings&)>& change);
  /// `count` client identifiers with this prefix.
  static std::vector<std::string> identifiers(unsigned count, const std::string& prefix = "c");

  /// The slot's latest connection.
  Connection& connection(unsigned slot = 0) const;
  /// The slot whose latest connection was handed this message; there must be one.
  unsigned slot_of(const Note& note) const;

  /// Acknowledges this message, wherever it is in flight.
  void acknowledge(const Note& note);

  /// Some turns of the loop, in which no time passes.
  void turn(int count = 4) { loop.run_turns(count); }
  /// Moves the clock on.
  void advance(Duration time) { loop.advance(time); }
  /// Moves the clock on until the condition holds; returns how far.
  Duration run_until(const std::function<bool()>& condition) {
    return loop.advance_until(condition);
  }

  event::TestLoop loop;
  Random random{11};
  FakeBroker broker;
  std::deque<Note> notes;
  PoolSettings settings;  ///< the current ones
  std::unique_ptr<Pool> pool;
  std::vector<std::int64_t> rooms;  ///< the devices for which on_room() came
  std::function<void(Note&)> when_done;
  std::function<void(const protocol::Request&)> on_served;  ///< one of those that waited

 private:
  void on_done(Delivery& delivery) noexcept override;
  void on_room(Waiter& waiter) noexcept override;
  void on_dead(Pool&) noexcept override {}

  std::deque<Waiter> waiters_;
};

/// Starts a pool without_retries: the first attempt has failed, the second one is under way.
inline void start_with_a_failure(PoolLab& lab) {
  lab.pool->start();
  lab.turn();
  lab.connection(0).fail();
  lab.turn();
  REQUIRE(lab.connection(1).is_pending());
}

}  // namespace sluice::mqtt
