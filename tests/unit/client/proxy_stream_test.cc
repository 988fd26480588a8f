// The header of the PROXY protocol in front of a client's requests.
#include <algorithm>
#include <string>
#include <string_view>

#include "base/ip_address.h"
#include "log_capture.h"
#include "support.h"

namespace sluice::client {
namespace {

constexpr std::string_view kV1 = "PROXY TCP4 10.1.2.3 10.1.2.4 40000 9501\r\n";
constexpr std::string_view kSignature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::string_view kV2("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0C\n\1\2\3\n\1\2\4\x9C\x40\x25\x1D",
                               28);
constexpr std::string_view kLocal("\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", 16);

void require_from(config::Config& config, std::string_view network) {
  config.server.proxy_protocol = config::ProxyProtocol::Required;
  config.server.proxy_from = {};
  if (network == "unix") {
    config.server.proxy_from.unix_sockets = true;
  } else {
    config.server.proxy_from.networks = {config::parse_network(network).value()};
  }
}

/// Requires a header; all requests are answered.
struct ProxyLab : Lab {
  explicit ProxyLab(std::string_view network = "127.0.0.0/8")
      : Lab([&](config::Config& changed) { require_from(changed, network); }) {
    intake.mode = FakeIntake::Mode::Answer;
  }
  std::string name_of(std::size_t number) const {
    return server->about(intake.submitted.at(number).origin).text();
  }
};

/// The connection ends, without a reset, a reply or a request, for a reason with this in it.
void expect_refusal(Lab& lab, const LogCapture& log, Peer& peer, const std::string& why) {
  const int before = log.count(why);
  lab.wait_for_end(peer);
  CHECK(peer.received().empty());
  CHECK(lab.intake.submitted.empty());
  CHECK(log.count(why) == before + 1);
  lab.advance(std::chrono::seconds(1));
  CHECK(lab.server->empty());
}

}  // namespace

TEST_CASE("the client that a header announces is the subject of the log", "[proxy]") {
  for (const std::string_view header : {kV1, kV2}) {
    ProxyLab lab;
    lab.connect().send(std::string(header) + request("a"));
    lab.wait_for_requests(1);
    const std::string name = lab.name_of(0);
    CHECK(name.starts_with("client 10.1.2.3:40000 via 127.0.0.1:"));
    CHECK(name.ends_with(" #1"));
  }
}

TEST_CASE("LOCAL and UNKNOWN leave the peer its own address", "[proxy]") {
  for (const std::string_view header : {std::string_view("PROXY UNKNOWN\r\n"), kLocal}) {
    ProxyLab lab;
    lab.connect().send(std::string(header) + request("a"));
    lab.wait_for_requests(1);
    CHECK(lab.name_of(0).starts_with("client 127.0.0.1:"));
  }
}

TEST_CASE("a header may come byte by byte, with requests of either framing behind it", "[proxy]") {
  for (const std::string_view header : {kV1, kV2}) {
    for (const std::string& behind : {request("a"), frame(request("a"))}) {
      ProxyLab lab;
      Peer& peer = lab.connect();
      for (const char byte : std::string(header) + behind) {
        peer.send({&byte, 1});
        lab.run_turns(2);
      }
      lab.wait_for_requests(1);
      lab.run_until([&] { return !peer.received().empty(); });
      CHECK(peer.received().find("\"code\":1") != std::string::npos);
    }
  }
}

TEST_CASE("a reply to a client behind a proxy, and its end, are as ever", "[proxy]") {
  ProxyLab lab;
  Peer& peer = lab.connect();
  peer.send(kV1);
  lab.run_turns(3);
  peer.send(request("a") + request("b"));
  peer.shut_down();
  lab.wait_for_end(peer);
  CHECK(peer.lines() == 2);
}

TEST_CASE("a connection that ends before its header began is no news", "[proxy]") {
  const LogCapture log;
  ProxyLab lab;
  Peer& peer = lab.connect();
  lab.run_turns(3);
  peer.shut_down();
  lab.wait_for_end(peer);
  CHECK(log.lines().empty());
}

TEST_CASE("without the header that is required a connection ends without a reply", "[proxy]") {
  const LogCapture log(log::Level::Debug);
  for (const std::string& first : {request("a"), " " + std::string(kV1), frame(request("a"))}) {
    ProxyLab lab;
    Peer& peer = lab.connect();
    peer.send(first + request("b"));
    expect_refusal(lab, log, peer, "closed: no PROXY protocol header, but [server] proxy_protocol");
  }
}

TEST_CASE("a malformed header ends the connection with what was expected", "[proxy]") {
  const LogCapture log(log::Level::Debug);
  ProxyLab lab;
  Peer& first = lab.connect();
  first.send("PROXY TCP4 10.1.2.3 x 1 2\r\n" + request("a"));
  expect_refusal(lab, log, first, "closed: malformed PROXY protocol v1 header: expected \"PROXY ");
  Peer& second = lab.connect();
  second.send(std::string(kSignature) + "\x31" + request("a"));
  expect_refusal(lab, log, second,
                 "malformed PROXY protocol v2 header: expected version 2, found 3");
}

TEST_CASE("nothing is read from a peer that is not in proxy_from", "[proxy]") {
  const LogCapture log(log::Level::Debug);
  ProxyLab lab("10.0.0.0/8");
  for (const std::string& first : {std::string(kV1), std::string(kV2), request("a")}) {
    Peer& peer = lab.connect();
    peer.send(first + request("b"));
    expect_refusal(lab, log, peer, "closed: its address is not in [server] proxy_from");
  }
}

TEST_CASE("a header takes at most request_timeout_ms, an idle connection before it any time",
          "[proxy]") {
  const LogCapture log(log::Level::Debug);
  ProxyLab lab;
  Peer& idle = lab.connect();
  Peer& slow = lab.connect();
  lab.run_until([&] { return lab.counters().connections == 2; });
  lab.advance(std::chrono::minutes(10));
  slow.send(kV2.substr(0, 3));
  lab.run_turns(3);
  lab.advance(lab.config.limits.request_timeout - Duration(1));
  slow.send(kV2.substr(3, 20));
  lab.run_turns(3);
  CHECK_FALSE(slow.at_end());
  lab.advance(Duration(1));
  lab.wait_for_end(slow);
  CHECK(slow.received().empty());
  CHECK(log.count("the PROXY protocol header took longer than request_timeout_ms (10000)") == 1);
  idle.send(std::string(kV2) + request("a"));
  lab.wait_for_line(idle, 0);
}

TEST_CASE("a connection that ends within its header is closed with the reason", "[proxy]") {
  const LogCapture log(log::Level::Debug);
  ProxyLab lab;
  Peer& peer = lab.connect();
  peer.send(kV1.substr(0, 20));
  peer.shut_down();
  expect_refusal(lab, log, peer, "closed: the connection ended within the PROXY protocol header");
}

TEST_CASE("a second header is not taken for a request", "[proxy]") {
  const LogCapture log(log::Level::Debug);
  for (const std::string_view second : {kV1, kV2}) {
    ProxyLab lab;
    Peer& peer = lab.connect();
    peer.send(std::string(kV1) + std::string(second) + request("a"));
    expect_refusal(lab, log, peer, " header behind another one; each proxy has to accept");
  }
  ProxyLab lab;
  Peer& peer = lab.connect();
  peer.send(std::string(kV1) + "\r\n" + request("a") + "\r\n" + request("b"));
  lab.wait_for_line(peer, 1);
}

TEST_CASE("where it is off, a header ends the connection with a hint and no reply", "[proxy]") {
  const LogCapture log(log::Level::Debug);
  Lab lab;
  for (const auto& [header, version] : {std::pair(kV1, "v1"), std::pair(kV2, "v2")}) {
    Peer& peer = lab.connect();
    peer.send(std::string(header) + request("a"));
    expect_refusal(lab, log, peer,
                   std::string("closed: received a PROXY protocol ") + version +
                       " header, but [server] proxy_protocol is \"off\"; set it");
  }
  Peer& single = lab.connect();
  for (const char byte : std::string(kV2.substr(0, kSignature.size() - 1))) {
    single.send({&byte, 1});
    lab.run_turns(2);
  }
  CHECK_FALSE(single.at_end());
  single.send(kV2.substr(kSignature.size() - 1));
  expect_refusal(lab, log, single, "received a PROXY protocol v2 header");
}

TEST_CASE("where it is off, what only begins like a header is read as ever", "[proxy]") {
  Lab lab;
  lab.intake.mode = FakeIntake::Mode::Answer;
  Peer& blank = lab.connect();
  blank.send("\r\n\r\n");
  lab.run_turns(2);
  blank.send(request("a"));
  CHECK(lab.wait_for_line(blank, 0).find("\"code\":1") != std::string::npos);

  Peer& word = lab.connect();
  word.send("PROX");
  lab.run_turns(2);
  word.send("IMITY\n" + request("a"));
  CHECK(lab.wait_for_line(word, 0).find("got 'P'") != std::string::npos);
  CHECK(lab.wait_for_line(word, 1).find("\"code\":1") != std::string::npos);

  Peer& ended = lab.connect();
  ended.send("PROXY");
  ended.shut_down();
  CHECK(lab.wait_for_line(ended, 0).find("bad_request") != std::string::npos);
  lab.wait_for_end(ended);

  Peer& silent = lab.connect();
  silent.send("PROXY");
  lab.run_turns(3);
  CHECK(silent.received().empty());
  lab.advance(lab.config.limits.request_timeout);
  CHECK(lab.wait_for_line(silent, 0).find("bad_request") != std::string::npos);
}

TEST_CASE("a Unix socket takes no header unless proxy_from lists it, then it requires one",
          "[proxy]") {
  const LogCapture log(log::Level::Debug);
  ProxyLab network;
  Peer& bare = network.connect_unix();
  bare.send(request("a"));
  network.wait_for_line(bare, 0);
  network.intake.submitted.clear();
  Peer& unwanted = network.connect_unix();
  unwanted.send(std::string(kV1) + request("b"));
  network.wait_for_end(unwanted);
  CHECK(unwanted.received().empty());
  CHECK(log.count("header on a Unix socket, but [server] proxy_from does not list \"unix\"") == 1);

  ProxyLab listed("unix");
  listed.connect_unix().send(std::string(kV1) + request("a"));
  listed.wait_for_requests(1);
  CHECK(listed.name_of(0) == "client 10.1.2.3:40000 via unix #1");
  listed.intake.submitted.clear();
  Peer& missing = listed.connect_unix();
  missing.send(request("b"));
  listed.wait_for_end(missing);
  CHECK(missing.received().empty());
  CHECK(listed.intake.submitted.empty());
}

TEST_CASE("a reload concerns new connections only", "[proxy]") {
  ProxyLab lab;
  Peer& before = lab.connect();
  lab.run_until([&] { return lab.counters().connections == 1; });
  config::Config off = lab.config;
  off.server.proxy_protocol = config::ProxyProtocol::Off;
  auto prepared = lab.server->prepare(off.server);
  REQUIRE(prepared);
  lab.server->apply(off, std::move(prepared).value());
  Peer& after = lab.connect();
  after.send(request("a"));
  lab.wait_for_line(after, 0);
  before.send(std::string(kV1) + request("b"));
  lab.wait_for_line(before, 0);
  CHECK(lab.name_of(1).find("10.1.2.3:40000 via") != std::string::npos);
}

TEST_CASE("a thousand refused headers are a line, and at the end their number", "[proxy]") {
  const LogCapture log;
  Lab lab;
  for (int i = 0; i < 1000; ++i) {
    Peer& peer = lab.connect();
    peer.send(kV1);
    lab.wait_for_end(peer);
    peer.reset();
  }
  REQUIRE(log.lines().size() == 1);
  CHECK(log.lines()[0].starts_with("warn  client 127.0.0.1:"));
  lab.server->drain();
  CHECK(log.lines().back() ==
        "warn  999 more connections closed because of the PROXY protocol since then");
}

TEST_CASE("a shutdown does not wait for a header", "[proxy]") {
  ProxyLab lab;
  Peer& idle = lab.connect();
  Peer& begun = lab.connect();
  begun.send(kV1.substr(0, 8));
  lab.run_until([&] { return lab.counters().connections == 2; });
  lab.run_turns(3);
  lab.server->drain();
  lab.wait_for_end(idle);
  lab.wait_for_end(begun);
  lab.run_turns(3);
  CHECK(begun.received().empty());
}

}  // namespace sluice::client
