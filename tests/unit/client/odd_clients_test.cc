// What clients send beside requests: each is served or answered, in time.
#include "log_capture.h"
#include "protocol/reply.h"
#include "support.h"

namespace sluice::client {
namespace {

using namespace std::string_literals;

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

void with_short_timeout(config::Config& config) {
  config.limits.request_timeout = Duration(20);
  config.limits.max_request_bytes = 1000;
}

}  // namespace

TEST_CASE("requests with a NUL behind each are all served", "[client]") {
  Lab lab;
  lab.intake.mode = FakeIntake::Mode::Answer;
  Peer& peer = lab.connect();
  for (std::size_t i = 0; i < 3; ++i) {
    peer.send(request("a") + "\0"s);
    lab.wait_for_line(peer, i);
  }
  peer.send(request("a") + "\0"s + request("a") + "\0\n\0"s);
  lab.wait_for_line(peer, 4);
  CHECK(lab.intake.submitted.size() == 5);
  CHECK(lab.counters().faults_of(protocol::ErrorKind::BadRequest) == 0);
}

TEST_CASE("requests with request_end behind each are all served, also after a reload", "[client]") {
  Lab lab([](config::Config& config) { config.server.request_end = "##"; });
  lab.intake.mode = FakeIntake::Mode::Answer;
  Peer& peer = lab.connect();
  peer.send(request("a") + "##" + request("b") + "#");
  lab.wait_for_line(peer, 1);
  peer.send("#" + request("c") + "##");
  lab.wait_for_line(peer, 2);
  config::Config next = lab.config;
  next.server.request_end = "|";
  auto prepared = lab.server->prepare(next.server);
  REQUIRE(prepared);
  lab.server->apply(next, std::move(prepared).value());
  peer.send("|" + request("d") + "|");
  lab.wait_for_line(peer, 3);
  CHECK(lab.counters().faults_of(protocol::ErrorKind::BadRequest) == 0);
  peer.send("##|" + request("e") + "|");
  CHECK(has(lab.wait_for_line(peer, 4), "bad_request"));
  CHECK(has(lab.wait_for_line(peer, 5), R"("code":1)"));
}

TEST_CASE("a word without an end is answered, and the connection ends within request_timeout",
          "[client]") {
  Lab lab(with_short_timeout);
  lab.intake.mode = FakeIntake::Mode::Answer;
  Peer& peer = lab.connect();
  peer.send(request("a") + "ping");
  CHECK(has(lab.wait_for_line(peer, 1), "skipping to the next newline or NUL"));
  lab.advance(Duration(15));
  peer.send(request("b"));  // swallowed, and does not start the time again
  lab.run_turns(3);
  lab.advance(Duration(4));
  CHECK_FALSE(peer.at_end());
  lab.advance(Duration(1));
  CHECK(has(lab.wait_for_line(peer, 2),
            R"("error":"bad_request","published":"no","detail":"what is skipped took longer than )"
            "request_timeout_ms (20)"));
  lab.wait_for_end(peer);
  CHECK(peer.lines() == 3);
  CHECK(lab.intake.submitted.size() == 1);
}

TEST_CASE("what ends the skipping ends its time", "[client]") {
  Lab lab(with_short_timeout);
  lab.intake.mode = FakeIntake::Mode::Answer;
  Peer& peer = lab.connect();
  peer.send("ping");
  lab.wait_for_line(peer, 0);
  lab.advance(Duration(15));
  const std::string next = request("a");
  peer.send("\n" + next.substr(0, 10));  // a time of its own
  lab.run_turns(3);
  lab.advance(Duration(15));
  peer.send(next.substr(10));
  CHECK(has(lab.wait_for_line(peer, 1), R"("code":1)"));
  lab.advance(Duration(100));
  CHECK_FALSE(peer.at_end());
}

TEST_CASE("the rest of a request that is too large has to come within request_timeout",
          "[client]") {
  Lab lab(with_short_timeout);
  lab.intake.mode = FakeIntake::Mode::Answer;
  Peer& peer = lab.connect();
  const std::string large = request_of(5000);
  peer.send(large.substr(0, 900));
  lab.run_turns(3);
  lab.advance(Duration(10));
  peer.send(large.substr(900, 200));
  CHECK(has(lab.wait_for_line(peer, 0), "too_large"));
  lab.advance(Duration(9));
  peer.send(large.substr(1100, 100));
  lab.run_turns(3);
  CHECK_FALSE(peer.at_end());
  lab.advance(Duration(1));  // counted from the request's first byte
  CHECK(has(lab.wait_for_line(peer, 1), "what is skipped took longer than request_timeout_ms"));
  lab.wait_for_end(peer);
}

TEST_CASE("a client that skips is not idle", "[client]") {
  Lab lab([](config::Config& config) {
    config.limits.request_timeout = Duration(50);
    config.server.idle_timeout = Duration(20);
  });
  Peer& peer = lab.connect();
  peer.send("x");
  lab.wait_for_line(peer, 0);
  lab.advance(Duration(49));
  CHECK_FALSE(peer.at_end());
  lab.advance(Duration(1));
  lab.wait_for_end(peer);
  CHECK(peer.lines() == 2);
}

TEST_CASE("an HTTP request is refused in HTTP, and nothing behind it is read", "[client]") {
  const LogCapture log;
  Lab lab;
  Peer& peer = lab.connect();
  peer.send("POST /secret HTTP/1.1\r\nOrigin: http://secret\r\n\r\n" + request("a"));
  peer.send("\n" + request("b") + "\0"s + request("c"));
  lab.wait_for_end(peer);
  CHECK(peer.received() == protocol::kHttpRefusal);
  CHECK(lab.intake.submitted.empty());
  CHECK(log.count("closed: received an HTTP request ([admin] listen speaks HTTP: "
                  "http://127.0.0.1:9580)") == 1);
}

TEST_CASE("the refusal of HTTP is what HTTP wants", "[client]") {
  const std::string all(protocol::kHttpRefusal);
  const std::size_t head = all.find("\r\n\r\n");
  REQUIRE(head != std::string::npos);
  const std::string body = all.substr(head + 4);
  CHECK(all.starts_with("HTTP/1.1 400 Bad Request\r\n"));
  CHECK(body == "sluice speaks JSON over TCP here, not HTTP");
  CHECK(has(all, "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n"));
  CHECK(has(all, "\r\nContent-Type: text/plain\r\n"));
  CHECK(has(all, "\r\nConnection: close\r\n"));
  CHECK_FALSE(has(all, "Access-Control"));
}

TEST_CASE("HTTP behind a request is a bad_request behind its reply, and the end", "[client]") {
  const LogCapture log;
  Lab lab([](config::Config& config) { config.admin.listen.reset(); });
  Peer& peer = lab.connect();
  peer.send(request("a") + "\nGET / HTTP/1.1\r\n\r\n" + request("b"));
  lab.wait_for_requests(1);
  lab.intake.answer(0);
  lab.wait_for_end(peer);
  CHECK(peer.lines() == 2);
  CHECK(has(peer.line(0), R"("code":1)"));
  CHECK(has(peer.line(1), R"("error":"bad_request","published":"no")"));
  CHECK(lab.intake.submitted.size() == 1);
  CHECK(lab.counters().faults_of(protocol::ErrorKind::BadRequest) == 1);
  CHECK(log.count("closed: received an HTTP request ([admin] listen, which speaks HTTP, is off)") ==
        1);
}

TEST_CASE("HTTP from many clients is one line, and at the end their number", "[client]") {
  const LogCapture log;
  Lab lab;
  for (int i = 0; i < 5; ++i) {
    Peer& peer = lab.connect();
    peer.send("GET / HTTP/1.1\r\n\r\n");
    lab.wait_for_end(peer);
  }
  lab.server->end_all();
  CHECK(log.lines().size() == 2);
  CHECK(log.lines().back() ==
        "info  4 more connections closed because of another protocol since then");
}

TEST_CASE("a length that counts itself is named, alone and before another one", "[client]") {
  Lab lab(with_short_timeout);
  const std::string counted = "\0\0\0"s + static_cast<char>(request("a").size() + 4) + request("a");
  Peer& alone = lab.connect();
  alone.send(counted);
  lab.run_turns(3);
  lab.advance(Duration(20));
  lab.wait_for_end(alone);
  CHECK(has(alone.received(), "request_timeout_ms (20); does the length count its own 4 bytes?"));
  Peer& pipelined = lab.connect();
  pipelined.send(counted + counted);
  lab.wait_for_end(pipelined);
  CHECK(has(pipelined.received(), "; does the length count its own 4 bytes?"));
  CHECK(has(pipelined.received(), "too_large"));
  CHECK(lab.intake.submitted.empty());
}

TEST_CASE("a request behind a little-endian length is not published", "[client]") {
  Lab lab;
  Peer& peer = lab.connect();
  peer.send(static_cast<char>(request("a").size()) + "\0\0\0"s + request("a"));
  lab.wait_for_end(peer);
  CHECK(lab.intake.submitted.empty());
  CHECK(has(peer.line(1), "received a little-endian length"));
  CHECK(lab.counters().faults_of(protocol::ErrorKind::BadRequest) == 2);
}

}  // namespace sluice::client
