// A pool under random events, checked after each step against its promises.
#include <algorithm>
#include <chrono>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "pool_lab.h"

using namespace sluice;
using namespace sluice::mqtt;

namespace {

constexpr unsigned kLinks = 4;
constexpr std::int64_t kDevices = 20;
constexpr unsigned kWindow = 6;
constexpr std::size_t kInflightBytes = 6000;
constexpr int kSteps = 5000;

/// Plays clients, broker and network at random. Violations are collected, because they are found
/// inside callbacks from which nothing may be thrown.
class Model {
 public:
  explicit Model(unsigned seed)
      : dice_(seed), lab_(kLinks, [](config::Broker& broker) {
          broker.max_inflight = kWindow;
          broker.inflight_bytes = kInflightBytes;
          broker.queue_messages = 40;
          broker.queue_bytes = 20000;
        }) {
    lab_.broker.on_publish = [this](Connection& connection, const protocol::Request& request) {
      on_publish(connection, request);
    };
    lab_.when_done = [this](Note& note) { on_done(note); };
    lab_.on_served = [this](const protocol::Request& waited) { on_served(waited); };
    lab_.pool->start();
  }

  void step() {
    const unsigned action = roll(100);
    if (action < 45) {
      accept();
    } else if (action < 75) {
      acknowledge();
    } else if (action < 79) {
      lose();
    } else if (action < 88) {
      settle_attempt();
    } else if (action < 92) {
      toggle_congestion();
    } else if (action < 96) {
      give_up();
    } else {
      change();
      while (roll(3) == 0)
        change();  // before the former change is finished
    }
    if (roll(3) > 0) lab_.turn(1 + static_cast<int>(roll(3)));
    if (roll(30) == 0) lab_.advance(Duration(roll(100)));
    check();
    if (roll(8) > 0) return;
    lab_.turn(6);
    check();
    check_nothing_idles();
  }

  /// The network works from now on: everything must be settled.
  void finish() {
    const TimePoint end = lab_.loop.now() + std::chrono::minutes(1);
    while (!open_.empty() && lab_.loop.now() < end) {
      for (auto& attempt : lab_.broker.attempts) {
        if (!attempt->is_pending()) continue;
        windows_[attempt.get()] = kWindow;
        attempt->accept();
      }
      for (Connection* connection : open_connections()) {
        connection->set_congested(false);
        connection->ack_all();
      }
      lab_.advance(Duration(50));  // suspects wait for kTestDelay
      check();
    }
    if (!open_.empty()) complain("not everything came to its end");
    // The last change, too.
    while (!is_settled() && lab_.loop.now() < end) {
      lab_.broker.accept_pending();
      lab_.advance(Duration(50));
    }
    if (!is_settled()) complain("the last change has not come to its end");
    if (lab_.pool->in_flight() + lab_.pool->queued() + lab_.pool->queued_bytes() != 0) {
      complain("counters are not back at 0");
    }
    if (lab_.pool->waiters() > 0) complain("something still waits for room");
  }

  bool is_settled() {
    if (lab_.pool->connections() != lab_.settings.client_ids.size()) return false;
    for (std::size_t slot = 0; slot < lab_.pool->connections(); ++slot) {
      const Link& link = lab_.pool->link(slot);
      if (link.state() != LinkState::Ready) return false;
      if (link.client_id() != lab_.settings.client_ids[slot]) return false;
      if (lab_.broker.latest(link.client_id()).key != lab_.settings.connection_key) return false;
    }
    return true;
  }

  const std::vector<std::string>& complaints() const { return complaints_; }
  PoolLab& lab() { return lab_; }
  std::map<std::string, int> seen;  // how often each kind of event happened

 private:
  unsigned roll(unsigned sides) { return static_cast<unsigned>(dice_() % sides); }
  void complain(const std::string& what) { complaints_.push_back(what); }

  /// What keeps its order: a device's QoS 0 messages, and its others.
  static std::int64_t order_of(const protocol::Request& request) {
    return request.device_id + (request.qos == 0 ? kDevices : 0);
  }
  Note& note_of(const protocol::Request& request) {
    return lab_.notes[std::stoul(std::string(request.payload())) - 1];
  }

  std::vector<Connection*> open_connections() {
    std::vector<Connection*> all;
    for (auto& attempt : lab_.broker.attempts) {
      if (attempt->is_open() && attempt->accepted) all.push_back(attempt.get());
    }
    return all;
  }
  Connection* any_open() {
    const auto all = open_connections();
    return all.empty() ? nullptr : all[roll(static_cast<unsigned>(all.size()))];
  }

  void accept() {
    const std::int64_t device = roll(kDevices);
    const NoteOptions options{.qos = static_cast<std::uint8_t>(roll(3)),
                              .retain = false,
                              .bytes = roll(40) == 0 ? 8000u : 100 + roll(500)};
    Note& note = lab_.make(device, options);
    const Admission admission = lab_.pool->admission(note.own, false);
    if (admission == Admission::Accept) {
      accept(note);
      return;
    }
    ++seen["no room"];
    note.times_done = 1;
    if (admission != Admission::Dead && roll(4) == 0) lab_.wait(note, admission);
  }
  void accept(Note& note) {
    ++seen["accepted"];
    open_.insert(note.number);
    by_device_[order_of(note.own)].insert(note.number);
    lab_.pool->accept(note);
  }

  /// A request that has waited is accepted now, so it is newer than all others.
  void on_served(const protocol::Request& waited) {
    ++seen["served"];
    Note& note = lab_.make(waited.device_id, {waited.qos, waited.retain, waited.bytes()});
    const Admission admission = lab_.pool->admission(note.own, true);
    if (admission == Admission::Accept) {
      accept(note);
      return;
    }
    if (admission != Admission::Dead) complain("served without room");
    note.times_done = 1;
  }

  void acknowledge() {
    Connection* connection = any_open();
    if (connection == nullptr || connection->unacked.empty()) return;
    ++seen["acknowledged"];
    connection->ack(roll(static_cast<unsigned>(connection->unacked.size())));
  }

  void lose() {
    Connection* connection = any_open();
    if (connection == nullptr || roll(4) != 0) return;
    const bool disconnects = roll(2) == 0;
    if (disconnects && connection->unacked.size() == 1 && open_connections().size() > 1) {
      ++lone_deaths_[std::stoi(connection->unacked[0].payload)];
    }
    ++seen[disconnects ? "disconnected" : "silent"];
    connection->lose(disconnects ? Loss::Kind::Disconnected : Loss::Kind::Silent);
  }

  void settle_attempt() {
    std::vector<Connection*> pending;
    for (auto& attempt : lab_.broker.attempts) {
      if (attempt->is_pending()) pending.push_back(attempt.get());
    }
    if (pending.size() > 4) complain("more than four attempts at once");
    if (pending.empty()) return;
    Connection& one = *pending[roll(static_cast<unsigned>(pending.size()))];
    if (roll(10) == 0) {
      ++seen["attempt failed"];
      one.fail();
      return;
    }
    Connack connack;
    if (roll(3) == 0) connack.receive_maximum = static_cast<std::uint16_t>(1 + roll(8));
    windows_[&one] = std::min<std::size_t>(kWindow, connack.receive_maximum.value_or(65535));
    one.accept(connack);
  }

  void toggle_congestion() {
    if (Connection* connection = any_open()) connection->set_congested(!connection->congested);
  }

  /// Changes the number of connections, their client identifiers or other settings.
  void change() {
    ++seen["changed"];
    lab_.change([this](PoolSettings& settings) {
      if (roll(2) == 0) settings.connection_key = std::to_string(roll(3));
      const auto count =
          roll(2) == 0 ? static_cast<unsigned>(settings.client_ids.size()) : 1 + roll(2 * kLinks);
      const bool stays = roll(3) > 0;
      const std::string prefix = stays ? settings.client_ids[0].substr(0, 1) : roll(2) ? "c" : "d";
      settings.client_ids = PoolLab::identifiers(count, prefix);
    });
  }

  void give_up() {
    if (open_.empty()) return;
    auto chosen =
        open_.lower_bound(static_cast<int>(roll(static_cast<unsigned>(lab_.notes.size()))));
    if (chosen == open_.end()) --chosen;
    Note& note = lab_.notes[static_cast<std::size_t>(*chosen) - 1];
    if (note.given_up) return;
    ++seen[note.state() == State::InFlight ? "given up in flight"
           : note.state() == State::Resend ? "given up before sent again"
           : note.state() == State::Pinned ? "given up in a backlog"
                                           : "given up in the queue"];
    lab_.give_up(note);
    if (note.is_gone()) close(note);
  }

  void close(const Note& note) {
    open_.erase(note.number);
    by_device_[order_of(note.own)].erase(note.number);
  }

  void on_done(Note& note) {
    if (note.times_done != 1) complain("done twice");
    if (note.outcome.kind == DeliveryOutcome::Kind::GivenUp && !note.given_up) complain("dropped");
    if (note.outcome.kind == DeliveryOutcome::Kind::Rejected) {
      ++seen["rejected"];
      if (lone_deaths_[note.number] < 2) complain("rejected without two deaths alone");
      if (!note.outcome.may_be_published) complain("rejected as surely not published");
    }
    close(note);
  }

  void on_publish(Connection& connection, const protocol::Request& request) {
    Note& note = note_of(request);
    if (note.given_up) complain("handed over after it was answered");
    if (open_.count(note.number) == 0) complain("handed over after it was done");
    if (connection.congested) complain("handed to a full socket");
    if (!connection.accepted || !connection.is_open()) complain("handed to no connection");
    if (connection.unacked.size() >= windows_[&connection]) complain("beyond the window");
    // Older messages of the device may be on this connection only.
    for (const int older : by_device_[order_of(request)]) {
      if (older >= note.number) break;
      const bool here =
          std::any_of(connection.unacked.begin(), connection.unacked.end(),
                      [older](const Sent& sent) { return std::stoi(sent.payload) == older; });
      if (!here) complain(std::to_string(note.number) + " overtook " + std::to_string(older));
    }
    // A device's messages are handed over in order.
    int& newest = newest_of_[order_of(request)];
    if (!note.handed_over && note.number < newest) complain("handed over late");
    if (note.handed_over) ++seen["sent again"];
    newest = std::max(newest, note.number);
  }

  /// Each client identifier has at most one connection, or attempt.
  void check_identifiers() {
    std::set<std::string> live;
    for (const auto& attempt : lab_.broker.attempts) {
      if (!attempt->is_open()) continue;
      if (!live.insert(attempt->options.client_id).second) complain("an identifier is live twice");
    }
  }

  void check() {
    std::erase_if(lab_.broker.attempts, [](const auto& attempt) { return !attempt->is_open(); });
    check_identifiers();
    std::size_t in_flight = 0;
    std::size_t in_flight_bytes = 0;
    for (const Connection* connection : open_connections()) {
      in_flight += connection->unacked.size();
      for (const Sent& sent : connection->unacked)
        in_flight_bytes += sent.request->bytes();
    }
    std::size_t queued = 0;
    std::size_t queued_bytes = 0;
    for (const int number : open_) {
      const Note& note = lab_.notes[static_cast<std::size_t>(number) - 1];
      if (note.is_gone()) complain("an open message is nowhere");
      if (note.state() != State::Queued && note.state() != State::Pinned) continue;
      if (note.handed_over) complain("back in the queue after it was handed over");
      ++queued;
      queued_bytes += note.bytes;
    }
    if (lab_.pool->in_flight() != in_flight) complain("in_flight() is wrong");
    if (lab_.pool->queued() != queued) complain("queued() is wrong");
    if (lab_.pool->queued_bytes() != queued_bytes) complain("queued_bytes() is wrong");
    if (in_flight_bytes > kInflightBytes && in_flight > 1) complain("beyond inflight_bytes");
  }

  /// No message waits beside room, once the latest step has taken effect.
  void check_nothing_idles() {
    if (lab_.pool->queued() == 0 && lab_.pool->waiters() > 0)
      complain("it waits for room beside it");
    std::size_t in_flight_bytes = 0;
    std::size_t largest = 0;
    std::vector<Note*> waiting;
    for (const int number : open_) {
      Note& note = lab_.notes[static_cast<std::size_t>(number) - 1];
      if (note.state() == State::InFlight) in_flight_bytes += note.bytes;
      if (note.state() != State::Queued && note.state() != State::Pinned &&
          note.state() != State::Resend)
        continue;
      largest = std::max(largest, note.bytes);
      waiting.push_back(&note);
    }
    if (in_flight_bytes > 0 && in_flight_bytes + largest > kInflightBytes) return;
    bool has_room = false;
    for (std::size_t slot = 0; slot < lab_.pool->connections(); ++slot)
      has_room = has_room || lab_.pool->link(slot).room() != Room::None;
    for (Note* note : waiting) {
      ++seen["waiting"];
      if (note->state() == State::Queued && has_room) complain("it waits in the queue beside room");
      if (note->state() == State::Pinned && &note->link->backlog().front() == note &&
          note->link->has_room_for(*note)) {
        complain("it waits in a backlog beside room");
      }
      if (note->state() == State::Resend && &note->link->resend_queue().front() == note &&
          note->link->can_resend()) {
        complain("it waits to be sent again beside room");
      }
    }
  }

  std::mt19937 dice_;
  std::vector<std::string> complaints_;
  std::set<int> open_;                               // accepted, and known to the pool
  std::map<std::int64_t, std::set<int>> by_device_;  // the same
  std::map<std::int64_t, int> newest_of_;
  std::map<int, int> lone_deaths_;
  std::map<const Connection*, std::size_t> windows_;
  PoolLab lab_;  // destroyed first: it still reports outcomes
};

}  // namespace

TEST_CASE("whatever happens, order holds and every message is done exactly once", "[pool][model]") {
  const unsigned seed = GENERATE(range(1U, 13U));
  CAPTURE(seed);
  Model model(seed);
  int step = 0;
  while (step < kSteps && model.complaints().empty()) {
    model.step();
    ++step;
  }
  CAPTURE(step);
  REQUIRE(model.complaints() == std::vector<std::string>{});
  model.finish();
  CHECK(model.complaints() == std::vector<std::string>{});
  for (const Note& note : model.lab().notes)
    CHECK((note.is_gone() && (note.times_done == 1 || note.given_up)));
  // Each kind of event has happened.
  for (const char* kind :
       {"accepted", "changed", "acknowledged", "disconnected", "silent", "attempt failed",
        "sent again", "no room", "served", "given up in flight", "given up before sent again",
        "given up in a backlog", "given up in the queue"}) {
    CAPTURE(kind);
    CHECK(model.seen[kind] > 0);
  }
}
