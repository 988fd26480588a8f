// A broker that holds its connections and acknowledges nothing: when it is found, and when it ends.
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "log_capture.h"
#include "pool_lab.h"

using namespace sluice;
using namespace sluice::mqtt;
using std::chrono::seconds;

namespace {

/// As in the default configuration, where 5 s without an acknowledgement are too many.
void as_configured(config::Broker& broker) {
  broker.name = "o2o";
  broker.ack_timeout = seconds(15);
}

constexpr auto kFound = seconds(7);  // 5 s, two looks, and one more

}  // namespace

TEST_CASE("a broker that acknowledges nothing for 5 s is silent, until it acknowledges again",
          "[silence]") {
  PoolLab lab(3, as_configured);
  lab.bring_up();
  const LogCapture said;
  const TimePoint start = lab.loop.now();
  Note& note = lab.send(7);
  lab.advance(Duration(4900));
  CHECK_FALSE(lab.pool->silent_since());
  CHECK(lab.pool->is_working());
  lab.advance(kFound - Duration(4900));
  CHECK(lab.pool->silent_since() == start);
  CHECK_FALSE(lab.pool->is_working());
  CHECK(lab.pool->describe_outage() == "broker o2o: no acknowledgement for 7 s");
  CHECK(said.count("warn  broker o2o: not ready: no acknowledgement for 5 s (1 message "
                   "unacknowledged)") == 1);
  lab.advance(seconds(3));
  lab.acknowledge(note);
  lab.advance(seconds(1));
  CHECK_FALSE(lab.pool->silent_since());
  CHECK(lab.pool->is_working());
  CHECK(said.lines().back() ==
        "info  broker o2o: acknowledging again (after 10 s without an acknowledgement)");
  CHECK(said.lines().size() == 2);
}

TEST_CASE("messages that go out meanwhile do not hide that none is acknowledged", "[silence]") {
  PoolLab lab(3, as_configured);
  lab.bring_up();
  const TimePoint start = lab.loop.now();
  for (std::int64_t device = 1; device <= 7; ++device) {
    lab.send(device);
    lab.advance(seconds(1));
  }
  CHECK(lab.pool->silent_since() == start);
}

TEST_CASE("one connection that stands still is not the broker's silence", "[silence]") {
  PoolLab lab(2, as_configured);
  lab.bring_up();
  lab.send(7);
  for (std::int64_t device = 1; device <= 12; ++device) {
    Note& note = lab.send(100 + device);
    if (lab.slot_of(note) == lab.slot_of(lab.notes.front())) continue;
    lab.acknowledge(note);
    lab.advance(seconds(1));
    REQUIRE(lab.pool->is_working());
  }
}

TEST_CASE("a slow broker, an idle one and one with QoS 0 alone are not silent", "[silence]") {
  PoolLab lab(1, as_configured);
  lab.bring_up();
  for (int i = 0; i < 10; ++i) {
    Note& note = lab.send(7);
    lab.advance(Duration(4000));
    lab.acknowledge(note);
    lab.turn();
    REQUIRE(lab.pool->is_working());
  }
  lab.advance(seconds(60));
  CHECK(lab.pool->is_working());
  lab.send(8, {.qos = 0});
  lab.advance(seconds(14));
  CHECK(lab.pool->is_working());
}

TEST_CASE("a message of QoS 2 has twice the time, for its two round trips", "[silence]") {
  PoolLab lab(1, as_configured);
  lab.bring_up();
  Note& note = lab.send(7, {.qos = 2});
  lab.advance(Duration(9900));
  CHECK(lab.pool->is_working());
  lab.acknowledge(note);
  lab.send(7, {.qos = 2});
  lab.advance(seconds(12));
  CHECK_FALSE(lab.pool->is_working());
}

TEST_CASE("after a pause of sluice itself the acknowledgements are read before it is judged",
          "[silence]") {
  PoolLab lab(1, as_configured);
  lab.bring_up();
  Note& note = lab.send(7);
  lab.loop.clock.move_to(lab.loop.clock.now() + seconds(11));  // no turn meanwhile
  lab.turn();
  CHECK(lab.pool->is_working());
  lab.acknowledge(note);
  lab.advance(seconds(2));
  CHECK(lab.pool->is_working());
}

TEST_CASE("replaced connections do not end a silence, an acknowledgement does", "[silence]") {
  PoolLab lab(1, as_configured);
  lab.bring_up();
  const TimePoint start = lab.loop.now();
  Note& note = lab.send(7);
  lab.run_until([&] { return lab.pool->ready_links() == 0; });
  CHECK_FALSE(lab.pool->silent_since());  // it is down, which says more
  CHECK(lab.pool->describe_outage().find("broker o2o has no connection: no acknowl") == 0);
  lab.accept_until(1);
  lab.advance(seconds(1));
  CHECK(lab.pool->silent_since() == start);
  lab.acknowledge(note);
  lab.advance(seconds(1));
  CHECK(lab.pool->is_working());
}

TEST_CASE("with nothing left to acknowledge a silence is over", "[silence]") {
  PoolLab lab(1, as_configured);
  lab.bring_up();
  const LogCapture said;
  Note& note = lab.send(7);
  lab.advance(kFound);
  CHECK_FALSE(lab.pool->is_working());
  lab.give_up(note);
  lab.run_until([&] { return lab.pool->ready_links() == 0; });  // ack_timeout_ms
  lab.accept_until(1);
  lab.run_until([&] { return lab.pool->is_working(); });
  CHECK(said.count("info  broker o2o: nothing left to acknowledge (after ") == 1);
}

TEST_CASE("the limit follows ack_timeout_ms, between 1 s and 5 s", "[silence]") {
  CHECK(AckWatch::patience(std::chrono::hours(1)) == seconds(5));
  CHECK(AckWatch::patience(seconds(15)) == seconds(5));
  CHECK(AckWatch::patience(seconds(9)) == seconds(3));
  CHECK(AckWatch::patience(Duration(100)) == seconds(1));
}

TEST_CASE("a broker that pauses again and again is logged three times, then counted", "[silence]") {
  PoolLab lab(1, as_configured);
  lab.bring_up();
  const LogCapture said;
  for (int i = 0; i < 10; ++i) {
    Note& note = lab.send(7);
    lab.advance(kFound);
    lab.acknowledge(note);
    lab.advance(seconds(1));
  }
  CHECK(said.count("not ready") == 3);
  CHECK(said.count("acknowledging again") == 3);
  lab.advance(std::chrono::minutes(3));
  CHECK(said.lines().back() ==
        "warn  broker o2o: 7 more pauses of acknowledgements since then; none for 120 s now");
}
