// Requests that fail: one line with a count for each broker and result.
#include "ledger/failure_log.h"

#include <string>
#include <vector>

#include "ledger_lab.h"
#include "log_capture.h"

using namespace sluice;
using namespace sluice::ledger;
using client::Peer;
using protocol::ErrorKind;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

struct Scene {
  void fail(ErrorKind error, int times = 1) {
    for (int i = 0; i < times; ++i) {
      protocol::Request request = protocol::Request::make("dev/7/cmd", "x");
      request.device_id = 7 + i;
      if (log.count(error)) log.set_example(error, request, "why");
    }
  }
  /// Ticks every second up to this time.
  void tick_until(int second) {
    for (; now <= second; ++now)
      log.tick(TimePoint(seconds(now)), log::Subject::broker("o2o"));
  }

  const LogCapture said;
  FailureLog log;
  int now = 1;
};

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("what fails within a second is one line with its number and an example",
          "[failure_log]") {
  Scene scene;
  scene.fail(ErrorKind::Timeout, 17);
  scene.tick_until(1);
  CHECK(scene.said.lines() == Lines{"warn  broker o2o: 17 requests answered timeout (such as "
                                    "device 7, topic \"dev/7/cmd\": why)"});
}

TEST_CASE("each result has a line of its own", "[failure_log]") {
  Scene scene;
  scene.fail(ErrorKind::Timeout);
  scene.fail(ErrorKind::Rejected, 2);
  scene.tick_until(1);
  CHECK(scene.said.count("1 request answered timeout (") == 1);
  CHECK(scene.said.count("2 requests answered rejected (") == 1);
}

TEST_CASE("further failures are counted until there was none for a minute", "[failure_log]") {
  Scene scene;
  for (int second = 1; second <= 50; ++second) {
    scene.fail(ErrorKind::Rejected, 3);
    scene.tick_until(second);
  }
  CHECK(scene.said.lines().size() == 1);
  scene.tick_until(109);
  CHECK(scene.log.is_going_on());
  scene.tick_until(110);
  CHECK(scene.said.lines().back() ==
        "warn  broker o2o: 147 more requests answered rejected since then; none for 60 s now");
  CHECK_FALSE(scene.log.is_going_on());
  scene.tick_until(1000);
  CHECK(scene.said.lines().size() == 2);
}

TEST_CASE("failures that do not end are logged every ten minutes, with an example",
          "[failure_log]") {
  Scene scene;
  for (int second = 1; second <= 1801; second += 10) {
    scene.fail(ErrorKind::BrokerUnavailable);
    scene.tick_until(second);
  }
  CHECK(scene.said.lines().size() == 4);
  CHECK(scene.said.lines().back() ==
        "warn  broker o2o: 60 more requests answered broker_unavailable since then (such as device "
        "7, topic \"dev/7/cmd\": why)");
}

TEST_CASE("at the end what was counted is logged", "[failure_log]") {
  Scene scene;
  scene.fail(ErrorKind::Timeout);
  scene.tick_until(1);
  scene.fail(ErrorKind::Timeout, 2);
  scene.fail(ErrorKind::Rejected);
  scene.log.finish(TimePoint(seconds(2)), log::Subject::broker("o2o"));
  CHECK(scene.said.count("2 more requests answered timeout since then") == 1);
  CHECK(scene.said.count("1 request answered rejected (such as device 7") == 1);
  scene.log.finish(TimePoint(seconds(2)), log::Subject::broker("o2o"));
  CHECK(scene.said.lines().size() == 3);
}

TEST_CASE("long topics and reasons are cut short, and cannot forge a line", "[failure_log]") {
  Scene scene;
  const protocol::Request request = protocol::Request::make(std::string(60000, 't'), "x");
  CHECK(scene.log.count(ErrorKind::Rejected));
  scene.log.set_example(ErrorKind::Rejected, request, "no\nway" + std::string(60000, '!'));
  scene.tick_until(1);
  const Lines lines = scene.said.lines();
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].size() < 400);
  CHECK(has(lines[0], "no\\x0away"));
}

TEST_CASE("a reason is not cut within a character", "[failure_log]") {
  Scene scene;
  std::string reason = "!";
  for (int i = 0; i < 200; ++i)
    reason += "\u00e9";
  CHECK(scene.log.count(ErrorKind::Rejected));
  scene.log.set_example(ErrorKind::Rejected, protocol::Request::make("t", "x"), reason);
  scene.tick_until(1);
  CHECK(scene.said.count("\u00e9...") == 1);
}

// --- in the ledger

TEST_CASE("the log says which broker answered how many requests how, and why", "[failure_log]") {
  LedgerLab lab({broker_named("a")});
  lab.bring_up();
  const LogCapture said;
  Peer& peer = lab.connect();
  peer.send(request("slow", 3, {.timeout_ms = 30}) + request("bad", 4) + request("good", 5));
  lab.wait_for_sent(3);
  lab.connection().ack(1, 0x87);
  lab.connection().ack(1);
  lab.advance(Duration(30));
  lab.wait_for_line(peer, 2);
  CHECK(said.lines().empty());
  lab.advance(seconds(2));
  CHECK(said.count("warn  broker a: 1 request answered timeout (such as device 3, topic \"t\": not "
                   "acknowledged in time; it may still arrive)") == 1);
  CHECK(said.count("warn  broker a: 1 request answered rejected (such as device 4, topic \"t\": "
                   "message rejected, reason code 135)") == 1);
  CHECK(said.lines().size() == 2);
}

TEST_CASE("requests that a dead broker turns away are a line, with the outage's reason",
          "[failure_log]") {
  LedgerLab lab({narrow_broker()});
  const LogCapture said;
  lab.pools[0]->start();
  lab.settle();
  lab.connection().fail();
  Peer& peer = lab.connect();
  peer.send(request("held", 1) + request("away", 2) + request("away", 3));
  lab.wait_for_line(peer, 1);
  lab.advance(seconds(2));
  CHECK(said.count("warn  broker a: 2 requests answered broker_unavailable (such as device 2, "
                   "topic \"t\": no connection: unreachable)") == 1);
}

TEST_CASE("devices without a broker are a line about no broker", "[failure_log]") {
  LedgerLab lab;
  lab.bring_up();
  const LogCapture said;
  Peer& peer = lab.connect();
  peer.send(request("x", 1000) + request("y", 1001));
  lab.wait_for_line(peer, 1);
  lab.advance(seconds(2));
  CHECK(said.lines() ==
        Lines{"warn  2 requests answered no_route (such as device 1000, topic \"t\": no broker "
              "serves device 1000; nearest: broker a, 1 to 999)"});
  lab.advance(minutes(2));
  CHECK(said.lines().size() == 1);
}

TEST_CASE("success is no line", "[failure_log]") {
  LedgerLab lab;
  lab.bring_up();
  const LogCapture said;
  Peer& peer = lab.connect();
  peer.send(request("x", 1));
  lab.wait_for_sent(1);
  lab.connection().ack();
  lab.wait_for_line(peer, 0);
  lab.advance(minutes(2));
  CHECK(said.lines().empty());
}

TEST_CASE("what was counted is logged before a removed broker is gone", "[failure_log]") {
  LedgerLab lab;
  lab.bring_up();
  const LogCapture said;
  Peer& peer = lab.connect();
  peer.send(request("x", 1));
  lab.wait_for_sent(1);
  lab.connection().ack(0, 0x87);
  lab.wait_for_line(peer, 0);
  lab.ledger->reroute({}, Router({}));
  lab.ledger->drop(*lab.pools[0]);
  CHECK(said.count("warn  broker a: 1 request answered rejected") == 1);
}

TEST_CASE("what was counted is logged before the process ends", "[failure_log]") {
  LedgerLab lab;
  lab.bring_up();
  const LogCapture said;
  Peer& peer = lab.connect();
  peer.send(request("x", 1, {.timeout_ms = 30}));
  lab.wait_for_sent(1);
  lab.advance(Duration(30));
  lab.wait_for_line(peer, 0);
  lab.ledger->finish_log();
  CHECK(said.count("1 request answered timeout") == 1);
}
