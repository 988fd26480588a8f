// The window that finds itself, on simulated links: a broker that takes one message after the
// other, at the end of a path of some length.
#include "mqtt/link/window.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <random>
#include <vector>

#include "catch.h"

using namespace sluice::mqtt;
using namespace std::chrono_literals;

namespace {

/// Links that always have something to send. Time is simulated.
class Simulation {
 public:
  struct Path {
    Nanoseconds round_trip = 0ns;
    Nanoseconds jitter = 0ns;   // an acknowledgement is late by up to this
    Nanoseconds service = 1us;  // the broker's time for one message
  };

  Simulation(unsigned links, Path along, std::optional<unsigned> fixed = std::nullopt)
      : path(along), links_(links) {
    for (Link& link : links_) {
      link.window = std::make_unique<InflightWindow>(fixed, size_);
      link.window->open(65535);
      send(link);
      link.next_ack = link.ack_of(link.oldest).at;
    }
  }

  /// Lets so much time pass. Returns messages a second meanwhile.
  double run(Nanoseconds duration) {
    const Nanoseconds begin = now_;
    const Nanoseconds end = begin + duration;
    std::size_t count = 0;
    slowest_ = 0ns;
    for (Link* next = &next_link(); next->next_ack < end; next = &next_link()) {
      now_ = next->next_ack;
      ++count;
      acknowledge(*next);
    }
    now_ = end;
    return static_cast<double>(count) / std::chrono::duration<double>(duration).count();
  }

  std::size_t window(unsigned link = 0) const { return links_[link].window->size(); }
  /// The longest time to an acknowledgement in the last run().
  Nanoseconds slowest() const { return slowest_; }

  Path path;

 private:
  struct Ack {
    Nanoseconds at;
    Nanoseconds sent;
  };
  struct Link {
    Ack& ack_of(std::uint64_t delivery) { return acks[delivery % InflightWindow::kMost]; }
    std::size_t in_flight() const { return static_cast<std::size_t>(newest - oldest + 1); }

    std::unique_ptr<InflightWindow> window;
    std::array<Ack, InflightWindow::kMost> acks{};  // of what is in flight; they stay in order
    std::uint64_t oldest = 1;                       // in flight
    std::uint64_t newest = 0;
    Nanoseconds next_ack{};
    Nanoseconds last_ack{};
  };

  Link& next_link() {
    Link* next = &links_[0];
    for (Link& link : links_) {
      if (link.next_ack < next->next_ack) next = &link;
    }
    return *next;
  }

  Nanoseconds random(Nanoseconds most) {
    if (most == 0ns) return most;
    const double part = std::uniform_real_distribution<double>()(dice_);
    return Nanoseconds(static_cast<Nanoseconds::rep>(part * static_cast<double>(most.count())));
  }

  void acknowledge(Link& link) {
    const std::uint64_t delivery = link.oldest++;
    slowest_ = std::max(slowest_, now_ - link.ack_of(delivery).sent);
    if (link.window->is_probe(delivery)) link.window->end_probe(1, now_);
    send(link);
    link.next_ack = link.ack_of(link.oldest).at;
  }

  void send(Link& link) {
    bool sent = false;
    const std::size_t size = link.window->size();
    while (link.in_flight() < size) {
      const Nanoseconds start = std::max(now_ + path.round_trip / 2, free_at_);
      free_at_ = start + path.service;
      link.last_ack = std::max(link.last_ack, free_at_ + path.round_trip / 2 + random(path.jitter));
      link.ack_of(++link.newest) = {link.last_ack, now_};
      sent = true;
    }
    if (sent && link.window->wants_probe()) {
      link.window->start_probe(link.newest, link.in_flight(), now_);
    }
  }

  WindowTuner size_;
  std::vector<Link> links_;
  std::mt19937 dice_{7};
  Nanoseconds now_ = 1h;
  Nanoseconds free_at_{};
  Nanoseconds slowest_{};
};

double best_fixed(unsigned links, Simulation::Path path) {
  double best = 0;
  for (const unsigned window : {8u, 16u, 32u, 64u, 128u, 256u, 512u, 1024u}) {
    Simulation simulation(links, path, window);
    const Nanoseconds enough = std::clamp<Nanoseconds>(path.round_trip * 20, 100ms, 1s);
    simulation.run(enough);
    best = std::max(best, simulation.run(enough));
  }
  return best;
}

}  // namespace

TEST_CASE("an automatic window reaches most of the best fixed window's throughput", "[window]") {
  const Nanoseconds round_trip = GENERATE(100us, 10000us, 52000us);
  CAPTURE(round_trip.count());
  const Simulation::Path path{.round_trip = round_trip, .jitter = round_trip / 50, .service = 8us};
  const double best = best_fixed(4, path);
  Simulation simulation(4, path);
  simulation.run(2s);
  CHECK(simulation.run(10s) >= 0.9 * best);
}

TEST_CASE("a distant broker gets the largest window, a near one half of it", "[window]") {
  Simulation distant(1, {.round_trip = 52ms, .service = 1us});
  distant.run(5s);
  CHECK(distant.window() == InflightWindow::kMost);
  Simulation near(1, {.round_trip = 100us, .service = 1us});
  near.run(500ms);
  CHECK(near.window() == 512);
}

TEST_CASE("a broker that is too slow has small windows, and latency does not grow with time",
          "[window]") {
  Simulation simulation(10, {.round_trip = 1ms, .service = 500us});
  simulation.run(20s);
  for (int round = 0; round < 5; ++round) {
    CHECK(simulation.run(60s) >= 0.95 * 2000);
    CHECK(simulation.window() <= 16);
    CHECK(simulation.slowest() <= 100ms);  // 64 messages on each link would take 320 ms
  }
}

TEST_CASE("jitter of a distant path does not starve it", "[window]") {
  Simulation simulation(1, {.round_trip = 52ms, .jitter = 6ms, .service = 1us});
  simulation.run(5s);
  int large = 0;
  for (int tenths = 0; tenths < 300; ++tenths) {
    simulation.run(100ms);
    large += simulation.window() >= 400 ? 1 : 0;
  }
  CHECK(large >= 270);  // all but the moments in which smaller ones are tried
}

TEST_CASE("a path that becomes longer is believed after a while", "[window]") {
  Simulation simulation(2, {.round_trip = 5ms, .service = 5us});
  simulation.run(5s);
  simulation.path.round_trip = 60ms;
  simulation.run(25s);
  CHECK(simulation.window() == InflightWindow::kMost);
}

TEST_CASE("only a round without any timely acknowledgement makes the size smaller", "[window]") {
  WindowTuner tuner;
  Nanoseconds now = 1s;
  const auto add = [&](Nanoseconds round_trip) {
    tuner.add(now, round_trip, /*in_use=*/false, now + round_trip);
    now += round_trip;
  };
  const std::size_t before = tuner.value();
  for (const Nanoseconds of_first_round : {52ms, 300ms, 300ms, 300ms})
    add(of_first_round);
  now += 60ms;
  for (const Nanoseconds of_second_round : {300ms, 90ms, 300ms, 300ms})
    add(of_second_round);
  now += 60ms;
  for (int i = 0; i < 3; ++i)
    add(208ms);
  CHECK(tuner.value() == before);
  add(208ms);
  CHECK(tuner.value() == before / 2);  // to where the shortest would be twice the base
}

TEST_CASE("next door a window grows at a millisecond of lateness and shrinks at six", "[window]") {
  const auto after_rounds_of = [](Nanoseconds late) {
    WindowTuner tuner;
    Nanoseconds now = 1s;
    const auto add = [&](Nanoseconds round_trip, bool in_use) {
      tuner.add(now, round_trip, in_use, now + round_trip);
      now += round_trip;
    };
    add(200us, false);
    for (int i = 0; i < 12; ++i)
      add(200us + late, true);
    return tuner.value();
  };
  CHECK(after_rounds_of(900us) == 512);
  CHECK(after_rounds_of(1100us) == 64);
  CHECK(after_rounds_of(5900us) == 64);
  CHECK(after_rounds_of(6100us) < 64);
}

TEST_CASE("what is sent within a round trip of a change says nothing of the new size", "[window]") {
  WindowTuner tuner;
  tuner.add(1s, 52ms, /*in_use=*/false, 1s + 52ms);
  Nanoseconds changed = 2s;
  for (int i = 0; i < 20 && tuner.value() == 64; ++i) {
    tuner.add(changed, 208ms, /*in_use=*/true, changed + 208ms);
    changed += 208ms;
  }
  const std::size_t shrunken = tuner.value();
  REQUIRE(shrunken == 32);
  for (const Nanoseconds sent : {changed - 5ms, changed + 10ms, changed + 51ms})
    tuner.add(sent, 52ms, /*in_use=*/true, sent + 52ms);
  CHECK(tuner.value() == shrunken);
  tuner.add(changed + 53ms, 52ms, /*in_use=*/true, changed + 105ms);
  CHECK(tuner.value() == 2 * shrunken);
}

TEST_CASE("the connections of a broker have one size", "[window]") {
  WindowTuner tuner;
  InflightWindow timed(std::nullopt, tuner);
  InflightWindow idle(std::nullopt, tuner);
  InflightWindow narrow(std::nullopt, tuner);
  timed.open(65535);
  idle.open(65535);
  narrow.open(20);
  timed.start_probe(1, timed.size(), 1s);
  timed.end_probe(1, 1s + 52ms);
  CHECK(timed.size() == 128);
  CHECK(idle.size() == 128);
  CHECK(narrow.size() == 20);
  // That a Receive Maximum is used up is no reason for larger windows elsewhere.
  narrow.start_probe(1, 20, 2s);
  narrow.end_probe(1, 2s + 52ms);
  CHECK(tuner.value() == 128);
}

TEST_CASE("a window nobody fills does not grow", "[window]") {
  WindowTuner tuner;
  InflightWindow window(std::nullopt, tuner);
  window.open(65535);
  const std::size_t before = window.size();
  Nanoseconds now = 1s;
  for (std::uint64_t sequence = 1; sequence < 100; ++sequence) {
    window.start_probe(sequence, 3, now);
    now += 52ms;
    window.end_probe(1, now);
  }
  CHECK(window.size() == before);
}

TEST_CASE("a number fixes the window, and Receive Maximum bounds both kinds", "[window]") {
  WindowTuner tuner;
  InflightWindow fixed(40u, tuner);
  fixed.open(65535);
  CHECK(fixed.size() == 40);
  CHECK_FALSE(fixed.wants_probe());
  fixed.open(7);
  CHECK(fixed.size() == 7);
  InflightWindow automatic(std::nullopt, tuner);
  automatic.open(1);
  CHECK(automatic.size() == 1);
  automatic.open(0);  // a broker's fault; nothing could be sent at all
  CHECK(automatic.size() == 1);
}

TEST_CASE("a PUBCOMP counts as two round trips", "[window]") {
  WindowTuner tuner;
  InflightWindow window(std::nullopt, tuner);
  window.open(65535);
  window.start_probe(1, 1, 1s);
  window.end_probe(2, 1s + 10ms);
  CHECK(tuner.base() == 5ms);
}

TEST_CASE("the base round trip is the shortest of this epoch and the one before", "[window]") {
  BaseRoundTrip base;
  const Nanoseconds epoch = BaseRoundTrip::kEpoch;
  base.add(5ms, epoch);
  base.add(3ms, epoch + 1s);
  base.add(4ms, epoch + 2s);
  CHECK(base.value() == 3ms);
  base.add(8ms, 2 * epoch);
  CHECK(base.value() == 3ms);
  base.add(9ms, 3 * epoch);
  CHECK(base.value() == 8ms);
  base.add(20ms, 9 * epoch);  // long idle: nothing old counts
  CHECK(base.value() == 20ms);
}

TEST_CASE("a window closed down for a measurement opens again even if none comes about",
          "[window]") {
  WindowTuner tuner;
  InflightWindow window(std::nullopt, tuner);
  window.open(65535);
  window.start_probe(1, 64, 1s);
  window.end_probe(1, 1s + 1ms);
  const std::size_t before = window.size();
  window.start_probe(2, before, 11s);
  CHECK(window.size() == InflightWindow::kLeast);
  CHECK(window.usual() == before);
  window.tick(11s + 90ms);
  CHECK(window.size() == InflightWindow::kLeast);
  window.tick(11s + 110ms);
  CHECK(window.size() == before);
}

TEST_CASE("a message whose acknowledgement is lost is not timed for ever", "[window]") {
  WindowTuner tuner;
  InflightWindow window(std::nullopt, tuner);
  window.open(65535);
  window.start_probe(1, 64, 1s);
  window.tick(3s);
  CHECK_FALSE(window.wants_probe());
  window.tick(7s);
  CHECK(window.wants_probe());
}
