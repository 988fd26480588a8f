// Clients that have gone, or sent their last, while sluice does not read from them.
#include "log_capture.h"
#include "support.h"

namespace sluice::client {
namespace {

constexpr Duration kNoticed = std::chrono::seconds(1);

/// The broker has room for no topic but "held", which it keeps.
struct HungLab : Lab {
  explicit HungLab(const std::function<void(config::Config&)>& change = {}) : Lab(change) {
    intake.choose = [](const FakeIntake::Submitted& one) {
      return one.topic == "held" ? FakeIntake::Mode::Hold : FakeIntake::Mode::Park;
    };
  }
  /// A client whose request waits, with more input than is read from it then.
  Peer& connect_parked(bool is_unix = false) {
    Peer& peer = is_unix ? connect_unix() : connect();
    peer.send(request("parked"));
    wait_for_requests(++parked_);
    peer.send(request_of(100000, "never"));
    run_turns(5);
    return peer;
  }

 private:
  std::size_t parked_ = 0;
};

}  // namespace

TEST_CASE("a paused client that resets its connection is noticed within a second", "[client]") {
  HungLab lab;
  Peer& peer = lab.connect_parked();
  peer.reset();
  lab.advance(kNoticed);
  CHECK(lab.server->empty());
  CHECK(lab.intake.forgotten.size() == 1);
  CHECK(lab.counters().dropped == 1);
  CHECK(lab.counters().paused == 0);
  CHECK(lab.counters().connections == 0);
}

TEST_CASE("a paused client of this machine that closes is noticed within a second", "[client]") {
  HungLab lab;
  const bool is_unix = GENERATE(false, true);
  Peer& peer = lab.connect_parked(is_unix);
  peer.close();
  lab.advance(kNoticed);
  CHECK(lab.server->empty());
  CHECK(lab.counters().dropped == 1);
  CHECK(lab.intake.submitted.size() == 1);
}

TEST_CASE("so is one that sent a single request and has read no reply", "[client]") {
  HungLab lab;
  const bool is_unix = GENERATE(false, true);
  Peer& peer = is_unix ? lab.connect_unix() : lab.connect();
  peer.send(request("parked"));
  lab.wait_for_requests(1);
  peer.close();
  lab.run_until([&] { return lab.counters().half_closed == 1; });
  lab.advance(kNoticed);
  CHECK(lab.server->empty());
  CHECK(lab.counters().half_closed == 0);
  CHECK(lab.counters().dropped == 1);
}

TEST_CASE("a client that closes with accepted requests is closed and drops none", "[client]") {
  HungLab lab;
  Peer& peer = lab.connect();
  peer.send(request("held") + request("held"));
  lab.wait_for_requests(2);
  peer.close();
  lab.run_until([&] { return lab.counters().half_closed == 1; });
  lab.advance(kNoticed);
  CHECK(lab.server->empty());
  CHECK(lab.counters().dropped == 0);
  lab.intake.answer(0);  // reaches none
}

TEST_CASE("a paused client that only shuts down its writing side is served", "[client]") {
  HungLab lab;
  const bool is_unix = GENERATE(false, true);
  Peer& peer = is_unix ? lab.connect_unix() : lab.connect();
  std::string all = request("parked");
  for (int i = 0; i < 400; ++i)  // fits the socket, but not one read
    all += request("more");
  peer.send(all);
  peer.shut_down();
  lab.wait_for_requests(1);
  lab.advance(std::chrono::seconds(9));
  CHECK(lab.counters().half_closed == 1);
  CHECK(lab.counters().connections == 0);
  CHECK(lab.counters().paused == 0);
  lab.intake.choose = {};
  lab.intake.mode = FakeIntake::Mode::Answer;
  lab.intake.answer(0);
  lab.server->grant(lab.intake.submitted[0].origin, 0);
  lab.wait_for_end(peer);
  CHECK(peer.lines() == 401);
  CHECK(lab.server->empty());
  CHECK(lab.counters().half_closed == 0);
  CHECK(lab.counters().dropped == 0);
}

TEST_CASE("a client that is paused after it half-closed counts as half-closed only", "[client]") {
  HungLab lab;
  lab.intake.choose = [](const FakeIntake::Submitted& one) {
    return one.topic == "parked" ? FakeIntake::Mode::Park : FakeIntake::Mode::Answer;
  };
  Peer& peer = lab.connect();
  std::string all;
  for (int i = 0; i < 250; ++i)  // one read, but more than are decoded before the next
    all += request("more");
  peer.send(all + request("parked"));
  peer.shut_down();
  lab.wait_for_requests(251);
  lab.run_turns(5);
  CHECK(lab.counters().pauses_for(PauseReason::Queue) == 1);
  CHECK(lab.counters().half_closed == 1);
  CHECK(lab.counters().connections == 0);
  CHECK(lab.counters().paused == 0);
  CHECK(lab.server->paused_clients(10).longest.empty());
  lab.intake.answer(250);
  lab.server->grant(lab.intake.submitted[250].origin, 0);
  lab.wait_for_end(peer);
  CHECK(peer.lines() == 251);
  CHECK(lab.counters().half_closed == 0);
  CHECK(lab.counters().paused == 0);
}

TEST_CASE("half-closed clients leave their places to others", "[client]") {
  HungLab lab([](config::Config& config) {
    config.server.max_connections = 2;
    config.server.max_half_closed = 3;
  });
  const auto connect_half_closed = [&](std::size_t number) -> Peer& {
    Peer& peer = lab.connect();
    peer.send(request("held"));
    peer.shut_down();
    lab.wait_for_requests(number);
    lab.run_until([&] { return lab.counters().half_closed == number; });
    return peer;
  };
  Peer& first = connect_half_closed(1);
  for (std::size_t number = 2; number <= 5; ++number)
    connect_half_closed(number);
  CHECK(lab.counters().connections == 0);
  lab.wait_for_end(lab.connect());  // two beyond max_half_closed have the places
  CHECK(lab.counters().refused_total == 1);
  lab.intake.answer(0);
  lab.wait_for_end(first);
  CHECK(first.lines() == 1);
  lab.connect();
  lab.run_until([&] { return lab.counters().connections == 1; });
  CHECK(lab.counters().refused_total == 1);
}

TEST_CASE("a client that is paused and stays is left alone", "[client]") {
  HungLab lab;
  lab.connect_parked();
  lab.advance(std::chrono::seconds(30));
  CHECK(lab.counters().connections == 1);
  CHECK(lab.counters().paused == 1);
  CHECK(lab.counters().half_closed == 0);
}

TEST_CASE("requests dropped with their clients are a line, and at the end their number",
          "[client]") {
  const LogCapture log;
  HungLab lab;
  for (int i = 0; i < 3; ++i)
    lab.connect_parked().reset();
  lab.advance(kNoticed);
  CHECK(lab.server->empty());
  REQUIRE(log.lines().size() == 1);
  CHECK(log.lines()[0].find("info  client 127.0.0.1:") == 0);
  CHECK(log.count("closed: connection lost; its request that waited for room is dropped") == 1);
  lab.server->drain();
  CHECK(log.lines().back() ==
        "info  2 more requests dropped because their clients had gone since then");
}

}  // namespace sluice::client
