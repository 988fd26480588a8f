// The states of one delivery, and the totals over deliveries.
#include "mqtt/delivery.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>

#include "catch.h"

using namespace sluice;
using namespace sluice::mqtt;

namespace {

constexpr State kAll[] = {State::Idle,   State::Queued, State::Pinned, State::InFlight,
                          State::Resend, State::Fenced, State::Done};

/// A delivery with what a pool and a link keep for it.
struct Lab {
  Lab() {
    request.device_id = 7;
    request.qos = 1;
    delivery.set_request(request);
    delivery.device = &device;
    delivery.totals = &totals;
  }
  ~Lab() {
    unlink();
    if (delivery.state() != State::Idle && delivery.state() != State::Done)
      delivery.move_to(State::Done);
  }

  void unlink() {
    if (delivery.ListNode<>::is_linked())
      lists[static_cast<std::size_t>(delivery.state())].remove(delivery);
    if (device.pinned.holds(delivery)) device.pinned.remove(delivery);
  }
  /// As its owners do: leaves one list and joins the next.
  void go(State next) {
    unlink();
    if (next != State::Done) lists[static_cast<std::size_t>(next)].push_back(delivery);
    if (next == State::Pinned) device.pinned.push_back(delivery);
    delivery.move_to(next);
  }
  void go_all(std::initializer_list<State> states) {
    for (const State state : states)
      go(state);
  }

  protocol::Request request = protocol::Request::make("t", "payload");
  Device device;
  Totals totals{.waiting = {10, 10000}};
  List<Delivery> lists[7];
  Delivery delivery;
};

/// The way from Idle to each state.
void bring(Lab& lab, State to) {
  if (to == State::Idle) return;
  const bool was_out = to == State::Resend || to == State::Fenced;
  if (was_out) lab.go(State::InFlight);
  lab.go(to);
}

bool may_follow(State from, State to) {
  switch (from) {
    case State::Idle:
      return to == State::Queued || to == State::Pinned || to == State::InFlight ||
             to == State::Done;
    case State::Queued:
      return to == State::Pinned || to == State::InFlight || to == State::Done;
    case State::Pinned:
      return to == State::Queued || to == State::InFlight || to == State::Done;
    case State::InFlight:
      return to == State::Resend || to == State::Fenced || to == State::Done;
    case State::Resend:
      return to == State::InFlight || to == State::Fenced || to == State::Done;
    case State::Fenced:
      return to == State::Done;
    case State::Done:
      return false;
  }
  return false;
}

/// Whether an assertion ends a process that does this.
bool asserts(const std::function<void()>& act) {
  const pid_t child = fork();
  if (child == 0) {
    std::signal(SIGABRT, SIG_DFL);
    (void)!freopen("/dev/null", "w", stderr);
    act();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

}  // namespace

TEST_CASE("a delivery takes the edges that there are", "[delivery]") {
  for (const State from : kAll) {
    for (const State to : kAll) {
      if (!may_follow(from, to)) continue;
      Lab lab;
      bring(lab, from);
      lab.go(to);
      CAPTURE(to_string(from), to_string(to));
      CHECK(lab.delivery.state() == to);
    }
  }
}

#ifndef NDEBUG
TEST_CASE("an edge that there is not asserts", "[delivery]") {
  for (const State from : kAll) {
    Lab lab;
    bring(lab, from);
    for (const State to : kAll) {
      CAPTURE(to_string(from), to_string(to));
      if (!may_follow(from, to)) CHECK(asserts([&] { lab.go(to); }));
    }
  }
}

TEST_CASE("a move asserts that one list was left and another one joined", "[delivery]") {
  Lab lab;
  lab.go(State::Queued);
  // Still in the queue.
  CHECK(asserts([&] { lab.delivery.move_to(State::InFlight); }));
  CHECK(asserts([&] { lab.delivery.move_to(State::Done); }));
  // In none.
  lab.unlink();
  CHECK(asserts([&] { lab.delivery.move_to(State::InFlight); }));
  // In a link's, but not among its device's.
  CHECK(asserts([&] {
    lab.lists[0].push_back(lab.delivery);
    lab.delivery.move_to(State::Pinned);
  }));
  lab.go(State::InFlight);
}

TEST_CASE("a delivery that a pool refers to is not used again", "[delivery]") {
  Lab lab;
  lab.go(State::Queued);
  CHECK(asserts([&] { lab.delivery.reset(); }));
}
#endif

TEST_CASE("each state is counted where it belongs and nowhere else", "[delivery]") {
  Lab lab;
  const std::size_t bytes = lab.request.bytes();
  lab.go(State::Queued);
  CHECK((lab.device.queued == 1 && lab.device.unacked == 0));
  CHECK((lab.totals.waiting.items() == 1 && lab.totals.waiting.bytes() == bytes));
  lab.go(State::Pinned);
  CHECK((lab.device.queued == 0 && lab.device.unacked == 0));
  CHECK(lab.totals.waiting.bytes() == bytes);
  lab.go(State::InFlight);
  CHECK((lab.device.queued == 0 && lab.device.unacked == 1));
  CHECK((lab.totals.waiting.items() == 0 && lab.totals.inflight_bytes == bytes));
  lab.go(State::Resend);
  CHECK((lab.device.unacked == 1 && lab.totals.inflight_bytes == 0));
  lab.go(State::Fenced);
  CHECK((lab.device.unacked == 1 && lab.totals.inflight_bytes == 0));
  lab.go(State::Done);
  CHECK((lab.device.unacked == 0 && lab.totals.inflight_bytes == 0));
}

TEST_CASE("an abandoned delivery stays given up, whatever is heard of it", "[delivery]") {
  Lab lab;
  lab.go(State::InFlight);
  lab.delivery.handed_over = true;
  lab.delivery.abandon();
  CHECK(lab.delivery.request == nullptr);
  CHECK(lab.delivery.is_settled());
  lab.unlink();
  lab.delivery.finish({.kind = DeliveryOutcome::Kind::Acknowledged});
  CHECK(lab.delivery.outcome.kind == DeliveryOutcome::Kind::GivenUp);
  CHECK(lab.delivery.outcome.may_be_published);
}

TEST_CASE("a delivery that is used again knows nothing of its former life", "[delivery]") {
  Lab lab;
  lab.go_all({State::Queued, State::InFlight, State::Resend, State::InFlight});
  lab.delivery.handed_over = lab.delivery.sent_again = true;
  lab.delivery.packet_id = 1;
  lab.delivery.arrival = lab.delivery.sequence = lab.delivery.cleared_for = 1;
  lab.delivery.strikes_as_oldest = lab.delivery.strikes_alone = 1;
  lab.delivery.strike_code = 1;
  lab.delivery.abandon();
  lab.go(State::Done);
  lab.delivery.reset();
  const Delivery& again = lab.delivery;
  CHECK((again.state() == State::Idle && !again.is_abandoned() && !again.is_settled()));
  CHECK((again.request == nullptr && again.device == nullptr && again.totals == nullptr));
  CHECK((again.bytes == 0 && again.device_id == 0 && again.qos == 0 && again.packet_id == 0));
  CHECK((!again.handed_over && !again.sent_again && again.strike_code == 0));
  CHECK((again.strikes_as_oldest == 0 && again.strikes_alone == 0 && again.cleared_for == 0));
  CHECK((again.arrival == 0 && again.sequence == 0 && again.link == nullptr));
}
