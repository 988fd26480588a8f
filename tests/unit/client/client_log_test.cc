// The log lines about clients that repeat the same fault.
#include "log_capture.h"
#include "support.h"

namespace sluice::client {

TEST_CASE("a thousand faulty requests of a client are a line, and at the end their number",
          "[client]") {
  const LogCapture log;
  Lab lab;
  Peer& peer = lab.connect();
  for (int i = 0; i < 1000; ++i)
    peer.send("{}\n");
  lab.run_until([&] { return peer.lines() == 1000; });
  REQUIRE(log.lines().size() == 1);
  CHECK(log.lines()[0].substr(0, 23) == "info  client 127.0.0.1:");
  CHECK(log.lines()[0].find(" #1: bad_request: ") != std::string::npos);
  lab.server->drain();
  REQUIRE(log.lines().size() == 2);
  CHECK(log.lines()[1] == "info  999 more faulty requests since then");
}

TEST_CASE("at level debug each faulty request has its line, and so has one with only a token",
          "[client]") {
  const LogCapture log(log::Level::Debug);
  Lab lab;
  Peer& peer = lab.connect();
  peer.send("{}\n{}\n{\"token\":\"t\"}\n");
  lab.run_until([&] { return peer.lines() == 3; });
  CHECK(log.count(" #1: bad_request: ") == 2);
  CHECK(log.count(" #1: authenticated: request with only a token") == 1);
  CHECK(log.count(" #1: accepted") == 1);
}

TEST_CASE("clients beyond max_connections are a line, and at the end their number", "[client]") {
  const LogCapture log;
  Lab lab([](config::Config& config) { config.server.max_connections = 1; });
  lab.connect();
  lab.run_until([&] { return lab.counters().accepted_total == 1; });
  for (int i = 0; i < 5; ++i)
    lab.connect();
  lab.run_until([&] { return lab.counters().refused_total == 5; });
  CHECK(log.lines() ==
        std::vector<std::string>{"warn  max_connections (1) reached: new clients are refused"});
  lab.server->end_all();
  CHECK(log.lines().back() == "warn  4 more clients refused since then");
}

TEST_CASE("clients that come and go are no news", "[client]") {
  const LogCapture log;
  Lab lab;
  for (int i = 0; i < 10; ++i)
    lab.connect().reset();
  lab.run_until([&] { return lab.counters().closed_total == 10; });
  lab.server->end_all();
  CHECK(log.lines().empty());
}

TEST_CASE("each connection has a number of its own, also from one socket file", "[client]") {
  Lab lab;
  lab.connect_unix().send(request("a"));
  lab.wait_for_requests(1);
  lab.connect_unix().send(request("b"));
  lab.wait_for_requests(2);
  CHECK(lab.server->about(lab.intake.submitted[0].origin).text() == "client unix #1");
  CHECK(lab.server->about(lab.intake.submitted[1].origin).text() == "client unix #2");
}

}  // namespace sluice::client
