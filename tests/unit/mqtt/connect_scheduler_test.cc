// When a pool connects to its broker, how often, and with which protocol.
#include <chrono>
#include <string>
#include <vector>

#include "log_capture.h"
#include "mqtt/reason_codes.h"
#include "pool_lab.h"

using namespace sluice;
using namespace sluice::mqtt;

TEST_CASE("one link tries until the broker takes connections, then four at once",
          "[connect-scheduler]") {
  PoolLab lab(10);
  lab.pool->start();
  lab.turn();
  CHECK(lab.broker.pending() == 1);
  lab.broker.accept_pending();
  lab.turn();
  CHECK(lab.broker.pending() == 4);
  lab.broker.attempts.back()->accept();
  lab.turn();
  CHECK(lab.broker.pending() == 4);
  lab.accept_until(10);
  CHECK(lab.broker.attempts.size() == 10);
}

TEST_CASE("after a failure one link tries at a time", "[connect-scheduler]") {
  PoolLab lab(10);
  lab.pool->start();
  lab.turn();
  lab.broker.accept_pending();
  lab.turn();
  REQUIRE(lab.broker.pending() == 4);
  for (std::size_t i = 0; i < 4; ++i)
    lab.broker.attempts[1 + i]->fail();
  lab.run_until([&] { return lab.broker.attempts.size() > 5; });
  lab.turn(20);
  CHECK(lab.broker.pending() == 1);
  CHECK(lab.broker.attempts.size() == 6);
}

TEST_CASE("an attempt that fails at once is made again later", "[connect-scheduler]") {
  PoolLab lab(3);
  lab.broker.unreachable = true;
  lab.pool->start();
  lab.run_until([&] { return lab.broker.attempts.size() >= 9; });
  CHECK(lab.pool->ready_links() == 0);
  lab.broker.unreachable = false;
  lab.accept_until(3);
}

TEST_CASE("without a connection refused credentials are tried again by one link, every 2 s",
          "[connect-scheduler]") {
  PoolLab lab(5, [](config::Broker& broker) { broker.reconnect_max = std::chrono::hours(1); });
  lab.pool->start();
  lab.turn();
  for (std::size_t attempts = 1; attempts <= 8; ++attempts) {
    REQUIRE(lab.broker.attempts.size() == attempts);
    lab.broker.attempts.back()->refuse(0x87);
    lab.advance(Duration(1999));
    CHECK(lab.broker.attempts.size() == attempts);
    lab.advance(Duration(1));
  }
}

TEST_CASE("all links that were refused while none was up connect once one is accepted",
          "[connect-scheduler]") {
  PoolLab lab(5, [](config::Broker& broker) { broker.reconnect_max = std::chrono::hours(1); });
  lab.pool->start();
  lab.turn();
  for (int i = 0; i < 7; ++i) {
    lab.broker.attempts.back()->refuse(0x87);
    lab.advance(std::chrono::seconds(2));
  }
  const TimePoint accepted = lab.loop.now();
  lab.accept_until(5);
  CHECK(lab.loop.now() == accepted);
}

TEST_CASE("a broker without a connection is tried every 2 s, by one link after the other",
          "[connect-scheduler]") {
  PoolLab lab(4, without_retries);
  lab.broker.unreachable = true;
  lab.pool->start();
  lab.turn(20);
  REQUIRE(lab.broker.attempts.size() == 4);
  lab.advance(std::chrono::seconds(16));
  REQUIRE(lab.broker.attempts.size() == 12);
  std::vector<std::string> tried;
  for (std::size_t i = 4; i < 8; ++i)
    tried.push_back(lab.broker.attempts[i]->options.client_id);
  CHECK(tried == std::vector<std::string>{"c0", "c1", "c2", "c3"});
}

TEST_CASE("while a connection is up, the delays of the others count", "[connect-scheduler]") {
  PoolLab lab(2, without_retries);
  start_with_a_failure(lab);
  lab.connection(1).accept();
  lab.turn();
  lab.connection(0).fail();
  const std::size_t attempts = lab.broker.attempts.size();
  lab.advance(std::chrono::minutes(5));
  CHECK(lab.broker.attempts.size() == attempts);
}

TEST_CASE("while a connection is up, only the link that was refused waits", "[connect-scheduler]") {
  PoolLab lab(3, [](config::Broker& broker) { broker.reconnect_max = std::chrono::minutes(1); });
  lab.bring_up();
  lab.connection(0).lose();
  lab.run_until([&] { return lab.connection(0).is_pending(); });
  lab.connection(0).refuse(0x87);
  lab.connection(1).lose();
  lab.run_until([&] { return lab.connection(1).is_pending(); });
  lab.connection(1).accept();
  lab.advance(std::chrono::seconds(59));
  CHECK_FALSE(lab.connection(0).is_pending());
  lab.advance(std::chrono::seconds(1));
  CHECK(lab.connection(0).is_pending());
}

TEST_CASE("a link that has something to send again connects first", "[connect-scheduler]") {
  PoolLab lab(5);
  lab.bring_up();
  const unsigned busy = lab.slot_of(lab.send(1));
  for (unsigned distance = 1; distance <= 5; ++distance)
    lab.connection((busy + distance) % 5).lose();  // it is the last
  const std::size_t before = lab.broker.attempts.size();
  lab.run_until([&] { return lab.broker.attempts.size() > before; });
  CHECK(lab.broker.attempts[before]->options.client_id == "c" + std::to_string(busy));
}

TEST_CASE("a refused link that has something to send again waits no longer than 2 s",
          "[connect-scheduler]") {
  PoolLab lab(2, [](config::Broker& broker) { broker.reconnect_max = std::chrono::hours(1); });
  lab.bring_up();
  const unsigned slot = lab.slot_of(lab.send(1));
  lab.connection(slot).lose();
  for (int i = 0; i < 5; ++i) {
    lab.run_until([&] { return lab.connection(slot).is_pending(); });
    lab.connection(slot).refuse(0x87);
    lab.advance(Duration(1999));
    CHECK_FALSE(lab.connection(slot).is_pending());
    lab.advance(Duration(1));
    CHECK(lab.connection(slot).is_pending());
  }
}

TEST_CASE("an attempt without an answer does not hold up the other links", "[connect-scheduler]") {
  PoolLab lab(20);
  lab.pool->start();
  lab.turn();
  CHECK(lab.broker.pending() == 1);
  lab.advance(std::chrono::seconds(2));
  CHECK(lab.broker.pending() == 2);
  lab.advance(std::chrono::minutes(1));
  CHECK(lab.broker.pending() == 8);
}

TEST_CASE("once the credentials are right all links connect", "[connect-scheduler]") {
  PoolLab lab(5, [](config::Broker& broker) { broker.reconnect_max = Duration(10); });
  lab.pool->start();
  lab.turn();
  lab.connection(0).refuse(0x86);
  lab.run_until([&] { return lab.broker.attempts.size() > 1; });
  lab.turn();
  CHECK(lab.broker.pending() == 1);
  lab.broker.attempts.back()->refuse(0x86);
  lab.accept_until(5);
}

TEST_CASE("a broker that is busy is asked again soon", "[connect-scheduler]") {
  PoolLab lab(5);
  lab.pool->start();
  lab.turn();
  lab.connection(0).refuse(reason::kServerBusy);
  lab.run_until([&] { return lab.broker.attempts.size() > 1; });
  lab.accept_until(5);
}

TEST_CASE("a broker that does not know MQTT 5 is spoken to in 3.1.1 from then on",
          "[connect-scheduler]") {
  PoolLab lab(3, [](config::Broker& broker) { broker.max_inflight.reset(); });
  lab.pool->start();
  lab.turn();
  lab.connection(0).refuse(reason::kUnsupportedProtocolVersion);
  lab.accept_until(3);
  for (std::size_t i = 1; i < lab.broker.attempts.size(); ++i)
    CHECK(lab.broker.attempts[i]->options.protocol == config::Protocol::V311);
  CHECK(lab.pool->link(0).window() == 64);
  lab.connection(1).lose();
  lab.accept_until(3);
  CHECK(lab.broker.attempts.back()->options.protocol == config::Protocol::V311);
}

namespace {

/// Answers the next attempts as given (A: accepts, U: closes unanswered, N: not authorized), and
/// returns the versions that they spoke.
std::string versions_of(PoolLab& lab, const std::string& answers) {
  std::string versions;
  for (const char answer : answers) {
    lab.run_until([&] { return lab.broker.pending() == 1; });
    Connection& attempt = *lab.broker.attempts.back();
    versions += attempt.options.protocol == config::Protocol::V5 ? '5' : '3';
    if (answer == 'A') attempt.accept();
    if (answer == 'U') attempt.end({Loss::Kind::Unanswered, 0, "closed"});
    if (answer == 'N') attempt.refuse(reason::kNotAuthorized);
    lab.turn();
  }
  return versions;
}

void with_quick_retries(config::Broker& broker) {
  broker.reconnect_min = broker.reconnect_max = std::chrono::milliseconds(100);
}

}  // namespace

TEST_CASE("where two attempts are closed unanswered the versions are tried in turn",
          "[connect-scheduler]") {
  PoolLab lab(1, with_quick_retries);
  lab.pool->start();
  CHECK(versions_of(lab, "UUUUUUA") == "5533553");
  lab.connection().lose();
  CHECK(versions_of(lab, "UUUA") == "3333");  // what got a CONNACK is kept
}

TEST_CASE("a version that got any CONNACK is not given up for being closed unanswered",
          "[connect-scheduler]") {
  PoolLab lab(1, with_quick_retries);
  lab.pool->start();
  CHECK(versions_of(lab, "UNUUUUA") == "5555555");
}

TEST_CASE("a fallback is logged once, also where its first CONNACK refuses, with a lone password",
          "[connect-scheduler]") {
  PoolLab lab(1, [](config::Broker& broker) {
    with_quick_retries(broker);
    broker.password = "secret";
  });
  const LogCapture said;
  lab.pool->start();
  CHECK(versions_of(lab, "UUNA") == "5533");
  CHECK(said.count("closes on an MQTT 5 CONNECT; using 3.1.1 until the next reload") == 1);
  CHECK(said.count("the password is not sent") == 1);
  CHECK(said.count("secret") == 0);
  CHECK(said.count("; trying again") == 1);  // the refusal; the search for the version is no news
}

TEST_CASE("where 3.1.1 is configured it is all that is tried", "[connect-scheduler]") {
  PoolLab lab(1, [](config::Broker& broker) {
    with_quick_retries(broker);
    broker.protocol = config::Protocol::V311;
  });
  lab.pool->start();
  CHECK(versions_of(lab, "UUUUA") == "33333");
}

TEST_CASE("at a broker's limit a free place is for the link with something to resend",
          "[connect-scheduler]") {
  PoolLab lab(3, with_quick_retries);
  lab.bring_up();
  const unsigned slot = lab.slot_of(lab.send(1));
  const unsigned other = (slot + 1) % 3;
  const auto refuse_next = [&](unsigned of) {
    lab.run_until([&] { return lab.connection(of).is_pending(); });
    lab.connection(of).refuse(reason::kNotAuthorized);
    lab.turn();
  };
  lab.connection(slot).lose(Loss::Kind::Disconnected);
  lab.turn();
  refuse_next(slot);
  lab.connection(other).lose(Loss::Kind::Disconnected);  // its delay is over first, or not
  for (int i = 0; i < 3; ++i)
    refuse_next(slot);
  CHECK_FALSE(lab.connection(other).is_pending());
  lab.run_until([&] { return lab.connection(slot).is_pending(); });
  lab.connection(slot).accept();
  lab.run_until([&] { return lab.connection(other).is_pending(); });
}

TEST_CASE("a success ends the others' waiting early", "[connect-scheduler]") {
  PoolLab lab(2, without_retries);
  start_with_a_failure(lab);
  REQUIRE(lab.broker.attempts.size() == 2);
  lab.connection(1).accept();
  lab.turn();
  CHECK(lab.broker.attempts.size() == 3);
  CHECK(lab.broker.attempts.back()->options.client_id == "c0");
}

TEST_CASE("a connection that is lost soon does not come back at once for ever",
          "[connect-scheduler]") {
  PoolLab lab(1, [](config::Broker& broker) {
    broker.reconnect_min = Duration(1);
    broker.reconnect_max = std::chrono::hours(1);
  });
  lab.bring_up();
  // Each short connection doubles the delay: soon the next attempt is beyond this test.
  for (int losses = 0; losses < 8; ++losses) {
    lab.connection().lose();
    lab.accept_until(1);
  }
  lab.connection().lose();
  const std::size_t attempts = lab.broker.attempts.size();
  lab.turn();
  CHECK(lab.broker.attempts.size() == attempts);
  CHECK(lab.pool->link(0).state() == LinkState::Backoff);
}

TEST_CASE("against another client under the same identifier the pauses grow",
          "[connect-scheduler]") {
  PoolLab lab(1, [](config::Broker& broker) {
    broker.reconnect_min = Duration(40);
    broker.reconnect_max = std::chrono::hours(1);
  });
  lab.bring_up();
  Duration longest{0};
  for (int i = 0; i < 5; ++i) {
    const TimePoint lost = lab.loop.now();
    lab.connection().lose(Loss::Kind::Disconnected, reason::kSessionTakenOver);
    lab.accept_until(1);
    longest = lab.loop.now() - lost;
  }
  // At least half of 40 ms, doubled four times.
  CHECK(longest >= Duration(320));
  CHECK(longest <= Duration(640));
}

TEST_CASE("backing off starts again only after a connection was up for 10 s",
          "[connect-scheduler]") {
  PoolLab lab(1, [](config::Broker& broker) {
    broker.reconnect_min = Duration(60);
    broker.reconnect_max = std::chrono::hours(1);
  });
  lab.bring_up();
  const auto pause = [&] {
    const TimePoint lost = lab.loop.now();
    lab.connection().lose(Loss::Kind::Disconnected);
    lab.accept_until(1);
    return lab.loop.now() - lost;
  };
  for (int i = 0; i < 5; ++i)
    pause();
  CHECK(pause() >= Duration(960));  // at least half of 60 ms, doubled five times
  lab.advance(Duration(9999));
  CHECK(pause() >= Duration(1920));
  lab.advance(Duration(10000));
  CHECK(pause() <= Duration(60));
}

TEST_CASE("a stop sends DISCONNECT where nothing is in flight and resets what is busy",
          "[connect-scheduler]") {
  PoolLab lab(2);
  lab.bring_up();
  Note& note = lab.send(1);
  const unsigned busy = lab.slot_of(note);
  lab.pool->stop();
  CHECK_FALSE(lab.connection(busy).sent_disconnect);
  CHECK(lab.connection(busy).was_reset);
  CHECK(lab.connection(1 - busy).sent_disconnect);
  CHECK_FALSE(lab.connection(1 - busy).was_reset);
  lab.turn(20);
  CHECK(lab.pool->is_stopped());
  CHECK(lab.broker.attempts.size() == 2);
  CHECK(lab.ask(1) == Admission::Dead);
}

TEST_CASE("a broker that does not close after DISCONNECT is not waited for",
          "[connect-scheduler]") {
  PoolLab lab(1);
  lab.bring_up();
  lab.connection().ignores_disconnect = true;
  lab.pool->stop();
  CHECK(lab.connection().sent_disconnect);
  CHECK_FALSE(lab.pool->is_stopped());
  CHECK(lab.pool->link(0).state() == LinkState::Stopping);
  lab.pool->close_now();
  CHECK(lab.pool->is_stopped());
  CHECK_FALSE(lab.connection().is_open());
}

TEST_CASE("a stop ends attempts and delays, too", "[connect-scheduler]") {
  PoolLab lab(2, without_retries);
  start_with_a_failure(lab);
  lab.pool->stop();
  CHECK(lab.pool->is_stopped());
  CHECK_FALSE(lab.connection(1).is_open());
}
