// Deadlines of clients after the process was stopped: what the client had done meanwhile counts.
#include <chrono>
#include <cstddef>
#include <string>

#include "support.h"

using namespace sluice;
using namespace sluice::client;

namespace {

constexpr Duration kLimit{1000};
constexpr Duration kStall = std::chrono::seconds(11);

/// The process is stopped: time passes between two turns, while the kernel takes what `peer` sends.
void stall(Lab& lab, Peer& peer) {
  peer.pump();
  lab.loop.clock.move_to(lab.loop.clock.now() + kStall);
  lab.run_turns(8);
}

}  // namespace

TEST_CASE("a request whose rest came while the process was stopped is served", "[stall]") {
  Lab lab([](config::Config& config) { config.limits.request_timeout = kLimit; });
  Peer& peer = lab.connect();
  const std::size_t size = GENERATE(std::size_t{100}, std::size_t{1} << 20);
  const std::string wanted = request_of(size);
  peer.send(wanted.substr(0, 50));
  lab.run_turns(8);
  peer.send(wanted.substr(50));
  stall(lab, peer);
  lab.run_until([&] { return lab.intake.submitted.size() == 1 || peer.lines() > 0; });
  CHECK(lab.intake.submitted.size() == 1);
  CHECK(peer.lines() == 0);
}

TEST_CASE("a request whose rest has not come by the end of the stall is late", "[stall]") {
  Lab lab([](config::Config& config) { config.limits.request_timeout = kLimit; });
  Peer& peer = lab.connect();
  peer.send(request("a").substr(0, 20));
  lab.run_turns(8);
  stall(lab, peer);
  CHECK(lab.wait_for_line(peer, 0).find("request_timeout_ms (1000)") != std::string::npos);
}

TEST_CASE("a client that spoke while the process was stopped is not idle", "[stall]") {
  Lab lab([](config::Config& config) { config.server.idle_timeout = kLimit; });
  lab.intake.mode = FakeIntake::Mode::Answer;
  Peer& peer = lab.connect();
  Peer& silent = lab.connect();
  lab.run_turns(8);
  peer.send(request("a"));
  stall(lab, peer);
  lab.wait_for_line(peer, 0);
  CHECK_FALSE(peer.at_end());
  lab.wait_for_end(silent);
}

TEST_CASE("a client that took replies while the process was stopped is not closed for it",
          "[stall]") {
  Lab lab([](config::Config& config) {
    config.limits.write_timeout = kLimit;
    config.limits.request_timeout = std::chrono::hours(1);
    config.limits.output_bytes = 10000;
  });
  lab.intake.mode = FakeIntake::Mode::Answer;
  Peer& peer = lab.connect_without_reading();
  peer.send(with_long_replies(5000));
  lab.run_until([&] { return lab.counters().paused == 1; });
  lab.run_turns(8);
  peer.start_receiving();
  peer.pump();
  peer.stop_receiving();
  const bool takes_some = GENERATE(true, false);
  if (!takes_some) {
    lab.run_until([&] { return lab.counters().paused == 1; });
    lab.run_turns(8);
  }
  stall(lab, peer);
  CHECK(lab.counters().closed_total == (takes_some ? 0 : 1));
}
