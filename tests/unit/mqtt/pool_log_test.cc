// The log lines about a broker: states, not attempts.
#include "mqtt/pool/pool_log.h"

#include <string>
#include <vector>

#include "catch.h"
#include "log_capture.h"
#include "pool_lab.h"

namespace sluice::mqtt {
namespace {

using Lines = std::vector<std::string>;

TimePoint at(int seconds) {
  return TimePoint(std::chrono::seconds(seconds));
}

config::Broker broker() {
  config::Broker broker;
  broker.name = "o2o";
  broker.url = "mqtt://b";
  return broker;
}

Loss loss(Loss::Kind kind, const std::string& text) {
  return {.kind = kind, .reason_code = 0, .text = text};
}
const Loss kUnreachable = loss(Loss::Kind::Unreachable, "Connection refused");
const Loss kDisconnected = loss(Loss::Kind::Disconnected, "the broker closed it");

struct Scene {
  explicit Scene(std::size_t connections = 20, log::Level level = log::Level::Info)
      : links(connections), said(level), log(of, connections) {}

  void bring_up(TimePoint now) {
    for (std::size_t up = 1; up <= links; ++up)
      log.ready(now, up, 64);
  }
  void kill(TimePoint now) {
    for (std::size_t left = links; left-- > 0;)
      log.lost(now, static_cast<unsigned>(left), kDisconnected, left);
  }

  const std::size_t links;
  const config::Broker of = broker();
  const LogCapture said;
  PoolLog log;
};

}  // namespace

TEST_CASE("a broker that comes up is two lines, whatever the number of its connections",
          "[pool-log]") {
  Scene scene;
  scene.bring_up(at(0));
  CHECK(scene.said.lines() == Lines{"info  broker o2o: connected to mqtt://b",
                                    "info  broker o2o: all 20 connections up (window 64)"});
}

TEST_CASE("an unreachable broker is one line, and its return logs how many attempts failed",
          "[pool-log]") {
  Scene scene;
  for (int second = 0; second < 60; ++second) {
    for (std::size_t link = 0; link < 20; ++link)
      scene.log.attempt_failed(at(second), kUnreachable);
    scene.log.tick(at(second), 0);
  }
  CHECK(scene.said.lines() ==
        Lines{"warn  broker o2o: cannot connect to mqtt://b: Connection refused; trying again"});
  scene.log.ready(at(60), 1, 64);
  CHECK(scene.said.lines().back() ==
        "info  broker o2o: connected to mqtt://b after 1200 failed attempts");
}

TEST_CASE("addresses that fail in turns, each in its own way, are two lines", "[pool-log]") {
  Scene scene;
  for (int second = 0; second < 3000; second += 30) {
    scene.log.attempt_failed(at(second), kUnreachable);
    scene.log.attempt_failed(at(second), loss(Loss::Kind::Unreachable, "No route to host"));
    scene.log.tick(at(second), 0);
  }
  CHECK(scene.said.lines().size() == 2);
  scene.log.attempt_failed(at(3600), kUnreachable);
  scene.log.tick(at(3600), 0);
  CHECK(scene.said.lines().back() ==
        "warn  broker o2o: still down after 201 failed attempts; the latest: cannot connect to "
        "mqtt://b: Connection refused");
}

TEST_CASE(
    "a broker that goes away is a line for the first connection, the last, and for being down",
    "[pool-log]") {
  Scene scene;
  scene.bring_up(at(0));
  scene.kill(at(100));
  scene.log.attempt_failed(at(100), kUnreachable);
  scene.log.dead(at(101));
  scene.log.attempt_failed(at(102), kUnreachable);
  const Lines lines = scene.said.lines();
  REQUIRE(lines.size() == 5);
  CHECK(lines[2] ==
        "warn  broker o2o slot 19: connection lost (19 of 20 up): the broker closed it");
  CHECK(lines[3] == "warn  broker o2o slot 0: connection lost (0 of 20 up): the broker closed it");
  CHECK(lines[4] ==
        "warn  broker o2o: down: no connection for 1 s (cannot connect to mqtt://b: Connection "
        "refused); requests are queued until their deadline, at most 10000");
  scene.bring_up(at(200));
  CHECK(scene.said.count("connected to mqtt://b after 2 failed attempts (down for 100 s)") == 1);
  CHECK(scene.said.count("all 20 connections up again after 100 s (window 64); 20 reconnected") ==
        1);
}

TEST_CASE("while some connections stay, those lost are counted until all are up", "[pool-log]") {
  Scene scene;
  scene.bring_up(at(0));
  for (int second = 100; second < 200; ++second)
    scene.log.lost(at(second), 3, kDisconnected, 19);
  CHECK(scene.said.lines().size() == 3);
  scene.log.ready(at(200), 20, 64);
  CHECK(scene.said.count("up again after 100 s (window 64); 100 reconnected") == 1);
}

TEST_CASE("connections that stay down are one line, with the latest reason", "[pool-log]") {
  Scene scene;
  const Loss full = loss(Loss::Kind::Refused, "Not authorized");
  for (std::size_t up = 1; up <= 10; ++up)
    scene.log.ready(at(0), up, 64);
  const auto pass = [&](int from, int to, std::size_t up) {
    for (int second = from; second < to; ++second) {
      scene.log.attempt_failed(at(second), full);
      scene.log.tick(at(second), up);
    }
  };
  const std::string line = " of 20 connections up (refused by mqtt://b: Not authorized)";
  pass(0, 5, 10);
  CHECK(scene.said.count("connections up") == 0);
  pass(5, 3600, 10);
  CHECK(scene.said.lines().back() == "warn  broker o2o: 10" + line);
  CHECK(scene.said.count("connections up") == 1);
  pass(3600, 3603, 9);  // for a moment
  pass(3603, 3700, 10);
  CHECK(scene.said.count("connections up") == 1);
  pass(3700, 3800, 12);
  CHECK(scene.said.lines().back() == "warn  broker o2o: 12" + line);
  for (std::size_t up = 13; up <= 20; ++up)
    scene.log.ready(at(3800), up, 64);
  scene.log.tick(at(3800), 20);
  CHECK(scene.said.lines().back() == "info  broker o2o: all 20 connections up (window 64)");
  scene.log.lost(at(3801), 3, kDisconnected, 19);
  scene.log.tick(at(3801), 19);
  scene.log.tick(at(3806), 19);
  CHECK(scene.said.lines().back() ==
        "warn  broker o2o: 19 of 20 connections up (the broker closed it)");
}

TEST_CASE("a broker that flaps is logged eight times, then counted until it is quiet",
          "[pool-log]") {
  Scene scene(1);
  for (int second = 0; second < 100; ++second) {
    scene.log.ready(at(second), 1, 64);
    scene.log.lost(at(second), 0, kDisconnected, 0);
    scene.log.tick(at(second), 0);
  }
  const Lines lines = scene.said.lines();
  REQUIRE(lines.size() == 9);
  CHECK(lines[8].find("broker o2o: connections are flapping") != std::string::npos);
  scene.log.tick(at(108), 0);
  CHECK(scene.said.lines().size() == 9);
  scene.log.tick(at(109), 0);
  CHECK(scene.said.lines().back() ==
        "warn  broker o2o: 192 more connection changes since then; none for 10 s now; 0 of 1 up");
  scene.log.ready(at(120), 1, 64);
  CHECK(scene.said.lines().back() == "info  broker o2o: connected to mqtt://b (down for 21 s)");
}

TEST_CASE("a broker that flaps all day is summed up once an hour", "[pool-log]") {
  Scene scene(1);
  for (int second = 0; second < 3 * 3600 + 9; ++second) {
    scene.log.ready(at(second), 1, 64);
    scene.log.lost(at(second), 0, kDisconnected, 0);
    scene.log.tick(at(second), 0);
  }
  CHECK(scene.said.count("connections are flapping") == 1);
  CHECK(scene.said.count("more connection changes since then; 0 of 1 up") == 3);
  CHECK(scene.said.lines().size() == 8 + 1 + 3);
}

TEST_CASE("what was counted is logged before the end", "[pool-log]") {
  Scene scene(1);
  for (int i = 0; i < 10; ++i) {
    scene.log.ready(at(0), 1, 64);
    scene.log.lost(at(0), 0, kDisconnected, 0);
  }
  scene.log.finish(0);
  CHECK(scene.said.count("12 more connection changes since then; 0 of 1 up") == 1);
}

TEST_CASE("a takeover, and messages on which the broker disconnects, are logged once and counted",
          "[pool-log]") {
  Scene scene;
  for (int i = 0; i < 5; ++i) {
    scene.log.taken_over(at(i), 2, "twin-2", false, false);
    scene.log.rejected(at(i), 7, 1001);
  }
  CHECK(
      scene.said.lines() ==
      Lines{"warn  broker o2o slot 2: session takeover: another client probably uses "
            "client ID twin-2; give each process its own [server] instance or client_id",
            "warn  broker o2o slot 7: broker disconnected twice on the same message (device 1001); "
            "message rejected"});
  scene.log.tick(at(300), 20);
  CHECK(scene.said.count("4 more session takeovers since then") == 1);
  CHECK(scene.said.count("4 more messages rejected after two disconnects") == 1);
}

TEST_CASE("a refusal names the user, and counts have the right plural", "[pool-log]") {
  config::Broker of = broker();
  of.username = "alice";
  const LogCapture said;
  PoolLog log(of, 1);
  log.attempt_failed(at(0), loss(Loss::Kind::Refused, "Not authorized"));
  CHECK(said.lines() ==
        Lines{"warn  broker o2o: refused by mqtt://b (user alice): Not authorized; trying again"});
  log.ready(at(1), 1, 64);
  CHECK(said.lines().back() == "info  broker o2o: connected to mqtt://b after 1 failed attempt");
}

TEST_CASE("an attempt that sluice itself ends is not logged", "[pool-log]") {
  Scene scene;
  scene.log.attempt_failed(at(0), loss(Loss::Kind::Closed, "the configuration has changed"));
  CHECK(scene.said.lines().empty());
}

TEST_CASE("at level debug every attempt is logged", "[pool-log]") {
  Scene scene(20, log::Level::Debug);
  for (int i = 0; i < 50; ++i)
    scene.log.attempt_failed(at(i), kUnreachable);
  CHECK(scene.said.lines().size() == 50);
  CHECK(scene.said.count("debug broker o2o: cannot connect") == 49);
}

TEST_CASE("a pool logs what its connections do", "[pool-log]") {
  PoolLab lab(2);
  const LogCapture said;
  lab.bring_up();
  lab.connection(1).lose(Loss::Kind::Disconnected, 0);
  lab.turn();
  CHECK(said.count("connected to ") == 1);
  CHECK(said.count("all 2 connections up") == 1);
  CHECK(said.count(" slot 1: connection lost (1 of 2 up): ") == 1);
}

TEST_CASE("a removed broker's changes that were only counted are logged before it is gone",
          "[pool-log]") {
  PoolLab lab;
  const LogCapture said;
  lab.bring_up();
  for (int i = 0; i < 12; ++i) {
    lab.connection().lose(Loss::Kind::Disconnected, 0);
    lab.accept_until(1);
  }
  CHECK(said.count("more connection changes") == 0);
  lab.pool->close_all();
  CHECK(said.count("more connection changes") == 1);
}

TEST_CASE("connections that are replaced one after the other are not logged", "[pool-log]") {
  Scene scene(7);
  scene.bring_up(at(0));
  const Lines before = scene.said.lines();
  for (unsigned slot = 0; slot < 7; ++slot) {
    scene.log.lost(at(1), slot, loss(Loss::Kind::Closed, "the configuration has changed"), 6);
    scene.log.ready(at(1), 7, 64);
  }
  CHECK(scene.said.lines() == before);
  scene.log.set_connections(8);
  scene.log.ready(at(2), 8, 64);
  CHECK(scene.said.lines().size() == before.size() + 1);
}

}  // namespace sluice::mqtt
