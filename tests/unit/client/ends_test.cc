// Every way in which a connection closes: gracefully, so that no reply is lost.
#include "support.h"

namespace sluice::client {
namespace {

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

/// The time a client has to close after a graceful close.
constexpr Duration kLinger = std::chrono::seconds(1);

}  // namespace

TEST_CASE("a client that shuts down its writing side still gets all its replies", "[client]") {
  Lab lab;
  Peer& peer = lab.connect();
  for (int i = 0; i < 300; ++i)
    peer.send(request("a"));
  peer.shut_down();
  lab.wait_for_requests(300);
  lab.run_turns(5);
  CHECK_FALSE(peer.at_end());
  for (std::size_t i = 300; i > 0; --i)
    lab.intake.answer(i - 1);
  lab.wait_for_end(peer);
  CHECK(peer.lines() == 300);
  lab.run_until([&] { return lab.server->empty(); });
  CHECK(lab.counters().closed_total == 1);
  CHECK(lab.intake.forgotten.size() == 1);
}

TEST_CASE("what a parked client had sent before it shut down is served", "[client]") {
  Lab lab;
  lab.intake.mode = FakeIntake::Mode::Park;
  Peer& peer = lab.connect();
  peer.send(request("a") + request("b"));
  peer.shut_down();
  lab.wait_for_requests(1);
  lab.intake.mode = FakeIntake::Mode::Answer;
  lab.run_turns(5);
  lab.intake.answer(0);
  lab.server->grant(lab.intake.submitted[0].origin, 0);
  lab.wait_for_end(peer);
  CHECK(peer.lines() == 2);
}

TEST_CASE("a request cut off by the end of input is a fault", "[client]") {
  Lab lab;
  Peer& peer = lab.connect();
  peer.send(R"({"id":5,"device_id":1,"mqtt)");
  peer.shut_down();
  const std::string fault = lab.wait_for_line(peer, 0);
  CHECK(has(fault, "bad_request"));
  CHECK(has(fault, R"("id":5)"));
  lab.wait_for_end(peer);
}

TEST_CASE("a frame that is too large ends the connection without a reset", "[client]") {
  Lab lab;
  Peer& peer = lab.connect();
  peer.send(frame(request("a")) + std::string("\x7f\xff\xff\xff", 4));
  peer.send(std::string(3000000, 'x'));
  lab.wait_for_requests(1);
  lab.run_until([&] { return peer.all_sent(); });
  CHECK(peer.received().empty());
  // Unread input would turn the close into a reset, which discards what the peer has not read yet.
  peer.stop_receiving();
  lab.intake.answer(0);
  lab.run_until([&] { return lab.loop.would_sleep(); });  // all is read
  lab.advance(kLinger);
  CHECK(lab.server->empty());
  peer.start_receiving();
  lab.wait_for_end(peer);
  CHECK(has(peer.received(), R"("code":1)"));
  CHECK(has(peer.received(), "too_large"));
}

TEST_CASE("a request that is too large costs only itself in a stream", "[client]") {
  Lab lab([](config::Config& config) { config.limits.max_request_bytes = 1000; });
  lab.intake.mode = FakeIntake::Mode::Answer;
  Peer& peer = lab.connect();
  peer.send(request_of(200000) + request("b"));
  CHECK(has(lab.wait_for_line(peer, 0), "too_large"));
  CHECK(has(lab.wait_for_line(peer, 1), R"("code":1)"));
  CHECK(lab.counters().faults_of(protocol::ErrorKind::TooLarge) == 1);
}

TEST_CASE("a client that does not close after a gentle end is closed all the same", "[client]") {
  Lab lab;
  Peer& peer = lab.connect();
  peer.send("GET / HTTP/1.1\r\n\r\n");
  lab.wait_for_end(peer);
  lab.advance(kLinger - Duration(1));
  CHECK_FALSE(lab.server->empty());
  lab.advance(Duration(1));
  CHECK(lab.server->empty());
}

TEST_CASE("a client that reads slowly gets all replies before a gentle end", "[client]") {
  Lab lab([](config::Config& config) { config.limits.output_bytes = 10000000; });
  lab.intake.mode = FakeIntake::Mode::Answer;
  Peer& peer = lab.connect_without_reading();
  peer.send(with_long_replies(5000) + "GET / HTTP/1.1\r\n");
  lab.wait_for_requests(5000);
  lab.advance(2 * kLinger);  // which must not have begun
  peer.start_receiving();
  lab.wait_for_end(peer);
  CHECK(peer.lines() == 5001);
  CHECK(has(peer.line(5000), "bad_request"));
}

TEST_CASE("beyond max_connections a client is told so and closed", "[client]") {
  Lab lab([](config::Config& config) { config.server.max_connections = 1; });
  lab.intake.mode = FakeIntake::Mode::Answer;
  Peer& first = lab.connect();
  lab.run_until([&] { return lab.counters().connections == 1; });
  Peer& second = lab.connect();
  second.send(request("a"));
  const std::string fault = lab.wait_for_line(second, 0);
  CHECK(has(fault, R"("error":"overloaded","published":"no")"));
  lab.wait_for_end(second);
  CHECK(lab.intake.submitted.empty());
  CHECK(lab.counters().connections == 1);
  CHECK(lab.counters().refused_total == 1);

  first.shut_down();
  lab.run_until([&] { return lab.counters().connections == 0; });
  Peer& third = lab.connect();
  third.send(request("b"));
  lab.wait_for_line(third, 0);
}

TEST_CASE("only so many refused clients linger, the others are closed at once", "[client]") {
  Lab lab([](config::Config& config) { config.server.max_connections = 1; });
  lab.connect();
  lab.run_until([&] { return lab.counters().connections == 1; });
  std::vector<Peer*> refused;
  refused.reserve(300);
  for (int i = 0; i < 300; ++i)
    refused.push_back(&lab.connect());
  lab.run_until([&] {
    for (const Peer* peer : refused)
      if (!peer->at_end() && !peer->was_reset()) return false;
    return true;
  });
  std::size_t lines = 0;
  for (const Peer* peer : refused)
    lines += peer->lines();
  CHECK(lines == 256);
  CHECK(lab.counters().refused_total == 300);
}

TEST_CASE("a request that takes longer than request_timeout is a fault", "[client]") {
  Lab lab([](config::Config& config) { config.limits.request_timeout = Duration(20); });
  Peer& idle = lab.connect();
  Peer& peer = lab.connect();
  peer.send(request("a"));
  lab.wait_for_requests(1);
  peer.send(R"({"id":1,"device_id":1)");
  lab.run_turns(3);
  lab.advance(Duration(19));
  CHECK(peer.lines() == 0);
  lab.advance(Duration(1));
  const std::string fault = lab.wait_for_line(peer, 0);
  CHECK(has(fault, "request_timeout_ms (20)"));
  CHECK(has(fault, R"("id":1)"));
  lab.run_turns(3);
  CHECK_FALSE(peer.at_end());  // the first one is still to be answered
  lab.intake.answer(0);
  lab.wait_for_end(peer);
  CHECK(peer.lines() == 2);
  CHECK_FALSE(idle.at_end());
}

TEST_CASE("request_timeout stands still while sluice does not read", "[client]") {
  Lab lab([](config::Config& config) {
    config.limits.request_timeout = Duration(300);
    config.limits.output_bytes = 500;
  });
  lab.intake.choose = [](const FakeIntake::Submitted& one) {
    return one.topic == "slow" ? FakeIntake::Mode::Hold : FakeIntake::Mode::Answer;
  };
  Peer& peer = lab.connect();
  const std::string last = request("last");
  std::string burst = request("slow");
  for (int i = 0; i < 20; ++i)
    burst += request("a");
  peer.send(burst + last.substr(0, 10));
  lab.run_until([&] { return lab.counters().paused == 1; });
  lab.advance(Duration(400));
  lab.intake.answer(0);
  lab.wait_for_line(peer, 20);
  lab.run_turns(3);
  peer.send(last.substr(10));
  lab.wait_for_line(peer, 21);
  CHECK(lab.counters().faults_of(protocol::ErrorKind::BadRequest) == 0);
}

TEST_CASE("a client that takes no replies for write_timeout is closed", "[client]") {
  Lab lab([](config::Config& config) {
    config.limits.write_timeout = Duration(50);
    config.limits.request_timeout = Duration(3600000);
    config.limits.output_bytes = 10000;
  });
  lab.intake.mode = FakeIntake::Mode::Answer;
  Peer& peer = lab.connect_without_reading();
  peer.send(with_long_replies(5000));
  lab.run_until([&] { return lab.counters().paused == 1; });
  lab.advance(Duration(49));
  CHECK(lab.counters().closed_total == 0);
  lab.advance(Duration(1));
  CHECK(lab.counters().closed_total == 1);
  CHECK(lab.counters().pauses_for(PauseReason::Output) == 1);
  CHECK(lab.counters().paused == 0);
  CHECK(peer.lines() == 0);
}

TEST_CASE("a client with nothing to do is ended after idle_timeout", "[client]") {
  Lab lab([](config::Config& config) { config.server.idle_timeout = Duration(30); });
  Peer& idle = lab.connect();
  Peer& waiting = lab.connect();
  waiting.send(request("a"));
  lab.wait_for_requests(1);
  lab.advance(Duration(29));
  CHECK_FALSE(idle.at_end());
  lab.advance(Duration(1));
  lab.wait_for_end(idle);
  lab.advance(Duration(60));
  CHECK_FALSE(waiting.at_end());
  lab.intake.answer(0);
  lab.wait_for_line(waiting, 0);
  lab.advance(Duration(29));
  CHECK_FALSE(waiting.at_end());
  lab.advance(Duration(1));
  lab.wait_for_end(waiting);
  CHECK(waiting.lines() == 1);
}

TEST_CASE("draining ends each client when its last reply is out", "[client]") {
  Lab lab;
  Peer& idle = lab.connect();
  Peer& partial = lab.connect();
  Peer& busy = lab.connect();
  partial.send(R"({"device_id":)");
  busy.send(request("a"));
  lab.wait_for_requests(1);
  lab.run_until([&] { return lab.counters().connections == 3; });
  lab.server->close_listeners();
  lab.server->drain();
  lab.wait_for_end(idle);
  lab.wait_for_end(partial);
  busy.send(request("b"));  // decoded while draining: the intake decides about it
  lab.wait_for_requests(2);
  CHECK_FALSE(busy.at_end());
  lab.intake.answer(1);
  lab.run_turns(3);
  CHECK_FALSE(busy.at_end());
  lab.intake.answer(0);
  lab.wait_for_end(busy);
  CHECK(busy.lines() == 2);
  lab.advance(kLinger);
  CHECK(lab.server->empty());
  CHECK(lab.counters().connections == 0);
}

TEST_CASE("draining serves what is decoded already", "[client]") {
  Lab lab;
  lab.intake.mode = FakeIntake::Mode::Answer;
  Peer& peer = lab.connect();
  std::string burst;
  for (int i = 0; i < 200; ++i)
    burst += request("a");
  peer.send(burst);
  lab.wait_for_requests(1);  // one turn's budget; the rest is read and waits
  CHECK(lab.intake.submitted.size() < 200);
  lab.server->drain();
  lab.wait_for_end(peer);
  CHECK(peer.lines() == lab.intake.submitted.size());
  CHECK(peer.lines() == 200);
}

TEST_CASE("end_all ends clients whatever is outstanding, after the replies that are there",
          "[client]") {
  Lab lab;
  Peer& peer = lab.connect();
  peer.send(request("a") + request("b"));
  lab.wait_for_requests(2);
  lab.intake.answer(0);
  lab.server->end_all();
  lab.intake.answer(1);  // too late
  lab.wait_for_end(peer);
  CHECK(peer.lines() == 1);
  lab.advance(kLinger);
  CHECK(lab.server->empty());
  CHECK(lab.intake.forgotten.size() == 1);
}

TEST_CASE("an address that cannot be bound is named, and none is listened on", "[client]") {
  Lab lab;
  config::Config config = lab.config;
  config.server.listen = {{config::Address::Kind::Tcp, "127.0.0.1", 0, ""},
                          {config::Address::Kind::Tcp, "127.0.0.1", lab.server->port(0), ""}};
  Server other(lab.loop, config, lab.intake);
  const Result<void> listening = other.listen();
  REQUIRE_FALSE(listening);
  CHECK(has(listening.error().what, std::to_string(lab.server->port(0))));
  CHECK_THROWS(other.port(0));
}

TEST_CASE("a server may be destroyed with clients in every state", "[client]") {
  Lab lab([](config::Config& config) { config.limits.input_bytes = 40000; });
  lab.intake.choose = [](const FakeIntake::Submitted& one) {
    return one.topic == "full" ? FakeIntake::Mode::Park : FakeIntake::Mode::Hold;
  };
  lab.connect().send(request("a"));
  lab.connect().send(R"({"device_id")");
  lab.connect().send("GET / HTTP/1.1\r\n\r\n");
  Peer& parked = lab.connect();
  lab.run_turns(5);
  parked.send(request_of(41000, "full"));
  lab.wait_for_requests(2);
  lab.connect().send(request_of(20000));
  lab.run_until([&] { return lab.counters().pauses_for(PauseReason::Input) == 1; });
  CHECK(lab.counters().connections == 5);
}

}  // namespace sluice::client
