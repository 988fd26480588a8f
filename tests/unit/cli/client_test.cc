// The client against a scripted server: addresses, results, many in flight, the window.
#include "sluice/client.h"

#include <chrono>
#include <string>
#include <vector>

#include "catch.h"
#include "scripted_server.h"
#include "sdk/socket.h"

using namespace sluice;
using namespace sluice::test;
using std::chrono::milliseconds;

namespace {

/// Connects or fails the test.
void join(Client& client, const ScriptedServer& server) {
  REQUIRE(client.connect(server.address()));
  REQUIRE(client.is_connected());
}

}  // namespace

TEST_CASE("addresses are taken in their written forms and refused in all others", "[sdk]") {
  using sdk::parse_address;
  CHECK(parse_address("localhost:9501").host == "localhost");
  CHECK(parse_address("tcp://10.0.0.1:1").port == "1");
  CHECK(parse_address("tcp://[::1]:9501").host == "::1");
  CHECK(parse_address("unix:///run/s").path == "/run/s");
  CHECK(parse_address("tls://h:1").fault == "tls:// is not supported yet");
  for (const auto* wrong :
       {"", ":1", "h:", "h:0", "h:65536", "h:1x", "::1:9501", "http://h:1", "http://h", "unix://",
        "unix://s", "tcp://", "[]:1", "[]", "[h]", "[h]:1", "[::1", "h:999999"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_address(wrong).fault.empty());
  }
}

TEST_CASE("an address without a port means that of the server's default", "[sdk]") {
  using sdk::parse_address;
  CHECK(parse_address("host").text() == "host:9501");
  CHECK(parse_address("tcp://10.0.0.1").text() == "10.0.0.1:9501");
  for (const auto* six : {"::1", "[::1]", "tcp://::1", "tcp://[::1]", "tcp://[::1]:9501"}) {
    CAPTURE(six);
    CHECK(parse_address(six).text() == "[::1]:9501");
  }
  CHECK(parse_address("fe80::1%eth0").text() == "[fe80::1%eth0]:9501");
  CHECK(parse_address("2001:db8::1234").text() == "[2001:db8::1234]:9501");
  CHECK(parse_address("[::1:9502]").text() == "[::1:9502]:9501");
}

TEST_CASE("only a name has to be looked up", "[sdk]") {
  using sdk::parse_address;
  for (const auto* numeric : {"127.0.0.1", "::1", "[fe80::1%eth0]:1", "unix:///run/s"}) {
    CAPTURE(numeric);
    CHECK_FALSE(parse_address(numeric).has_name());
  }
  for (const auto* name : {"localhost", "tcp://h:1", "127.0.0.1.test"}) {
    CAPTURE(name);
    CHECK(parse_address(name).has_name());
  }
}

TEST_CASE("a published message is told as such, with its reply", "[sdk]") {
  std::string request;
  ScriptedServer server([&](Peer& peer) {
    request = peer.read_line();
    peer.write(
        R"({"code":1,"msg":"ok","subscribers":0,"id":1})");  // no end, as `[replies] end = ""`
    peer.read_to_end();
  });
  Client client;
  join(client, server);
  const PublishResult result = client.publish(message_with("open"));
  CHECK(result.outcome == Outcome::Published);
  CHECK(result.no_subscribers);
  CHECK(result.error.empty());
  CHECK(result.id == RequestId{1});
  CHECK(result.reply == R"({"code":1,"msg":"ok","subscribers":0,"id":1})");
  client.close();
  CHECK(request == R"({"id":1,"device_id":7,"mqtt_topic":"t","message":"open"})");
}

TEST_CASE("each failure of the server becomes its kind of result", "[sdk]") {
  ScriptedServer server([](Peer& peer) {
    for (const auto& [error, published] : std::vector<std::pair<std::string, std::string>>{
             {"bad_request", "no"}, {"broker_unavailable", "no"}, {"timeout", "unknown"}}) {
      peer.write(failure(error, published, ",\"id\":" + id_of(peer.read_line())));
    }
    peer.read_to_end();
  });
  Client client;
  join(client, server);
  CHECK(client.publish(message_with("a")).outcome == Outcome::Refused);
  CHECK(client.publish(message_with("b")).outcome == Outcome::NotPublished);
  const PublishResult last = client.publish(message_with("c"));
  CHECK(last.outcome == Outcome::Unknown);
  CHECK(last.error == "timeout");
  CHECK(last.detail == "why");
}

TEST_CASE("replies find their messages in any order, among replies nobody asked for", "[sdk]") {
  ScriptedServer server([](Peer& peer) {
    std::vector<std::string> ids;
    for (int i = 0; i < 3; ++i)
      ids.push_back(id_of(peer.read_line()));
    peer.write(success("999") + success("\"1\"") + failure("no_route", "no", ""));
    peer.write(success(ids[2]) + success(ids[0]));
    peer.write(failure("timeout", "unknown", ",\"id\":" + ids[1]));
    peer.read_to_end();
  });
  Client client;
  join(client, server);
  const auto first = client.submit(message_with("a"));
  Message named = message_with("b");
  named.id = "own name";
  const auto second = client.submit(named);
  const auto third = client.submit(message_with("c"));
  CHECK(client.outstanding() == 3);

  CHECK(client.next_result()->ticket == third);
  CHECK(client.next_result()->ticket == first);
  const auto result = client.next_result();
  REQUIRE(result);
  CHECK(result->ticket == second);
  CHECK(result->id == RequestId{"own name"});
  CHECK(result->outcome == Outcome::Unknown);
  CHECK(client.outstanding() == 0);
  CHECK_FALSE(client.next_result());
}

TEST_CASE("publish waits for its own message and leaves other results to be collected", "[sdk]") {
  ScriptedServer server([](Peer& peer) {
    const std::string first = id_of(peer.read_line());
    const std::string second = id_of(peer.read_line());
    peer.write(success(first) + failure("no_route", "no", ",\"id\":" + second));
    peer.read_to_end();
  });
  Client client;
  join(client, server);
  const auto ticket = client.submit(message_with("a"));
  CHECK(client.publish(message_with("b")).outcome == Outcome::Refused);
  CHECK(client.next_result()->ticket == ticket);
}

TEST_CASE("a full window takes no message until a result is collected", "[sdk]") {
  ScriptedServer server([](Peer& peer) {
    for (;;) {
      const std::string request = peer.read_line();
      if (request.empty()) return;
      peer.write(success(id_of(request)));
    }
  });
  ClientOptions options;
  options.window = 2;
  Client client(options);
  join(client, server);
  CHECK(client.submit(message_with("a")));
  CHECK(client.submit(message_with("b")));
  CHECK_FALSE(client.can_submit());
  CHECK_FALSE(client.submit(message_with("c")));
  CHECK(client.next_result());
  CHECK(client.submit(message_with("c")));
  CHECK(client.publish(message_with("beside the window")).outcome == Outcome::Published);
}

TEST_CASE("the token goes along until a success shows that it was taken", "[sdk]") {
  std::vector<std::string> requests;
  ScriptedServer server([&](Peer& peer) {
    for (int i = 0; i < 3; ++i) {
      requests.push_back(peer.read_line());
      const std::string id = id_of(requests.back());
      peer.write(i == 0 ? failure("no_route", "no", ",\"id\":" + id) : success(id));
    }
    peer.read_to_end();
  });
  ClientOptions options;
  options.token = "s3";
  Client client(options);
  join(client, server);
  for (int i = 0; i < 3; ++i)
    (void)client.publish(message_with("a"));
  client.close();
  REQUIRE(requests.size() == 3);
  CHECK(requests[0].find(R"("token":"s3")") != std::string::npos);
  CHECK(requests[1].find(R"("token":"s3")") != std::string::npos);
  CHECK(requests[2].find("token") == std::string::npos);
}

TEST_CASE("a message that cannot be written is refused without touching the stream", "[sdk]") {
  std::string request;
  ScriptedServer server([&](Peer& peer) {
    request = peer.read_line();
    peer.write(success(id_of(request)));
    peer.read_to_end();
  });
  Client client;
  join(client, server);
  Message broken = message_with("1}{");
  broken.payload_kind = PayloadKind::Json;
  const PublishResult refused = client.publish(broken);
  CHECK(refused.outcome == Outcome::Refused);
  CHECK(refused.error == "bad_request");
  CHECK(refused.reply.empty());
  CHECK(client.publish(message_with("after")).outcome == Outcome::Published);
  client.close();
  CHECK(request.find("after") != std::string::npos);
}

TEST_CASE("an id that is in flight is refused, and free again after its reply", "[sdk]") {
  ScriptedServer server([](Peer& peer) {
    for (int i = 0; i < 3; ++i)
      peer.write(success(id_of(peer.read_line())));
    peer.read_to_end();
  });
  Client client;
  join(client, server);
  Message message = message_with("a");
  message.id = 2;
  const auto ticket = client.submit(message);
  const PublishResult twin = client.publish(message);
  CHECK(twin.outcome == Outcome::Refused);
  CHECK(client.next_result()->ticket == ticket);
  CHECK(client.publish(message).outcome == Outcome::Published);
  CHECK(client.publish(message_with("b")).outcome == Outcome::Published);
}

TEST_CASE("without ids of its own the client works with servers that echo none", "[sdk]") {
  std::string request;
  ScriptedServer server([&](Peer& peer) {
    request = peer.read_line();
    peer.write(R"({"code":1,"msg":"ok"})");
    (void)peer.read_line();
    peer.write(R"({"code":2,"msg":"no"})");
    peer.read_to_end();
  });
  ClientOptions options;
  options.own_ids = false;
  Client client(options);
  join(client, server);
  CHECK(client.submit(message_with("a")));
  CHECK_FALSE(client.can_submit());
  CHECK(client.next_result()->outcome == Outcome::Published);
  CHECK(client.publish(message_with("b")).outcome == Outcome::Unknown);
  client.close();
  CHECK(request == R"({"device_id":7,"mqtt_topic":"t","message":"a"})");
}

TEST_CASE("a unix socket serves as well", "[sdk]") {
  const TemporaryPath place;
  ScriptedServer server(place.path(), [](Peer& peer) {
    peer.write(success(id_of(peer.read_line())));
    peer.read_to_end();
  });
  Client client;
  join(client, server);
  CHECK(client.publish(message_with("a")).outcome == Outcome::Published);
}

TEST_CASE("results become visible to a poll loop through next_result without waiting", "[sdk]") {
  ScriptedServer server([](Peer& peer) {
    peer.write(success(id_of(peer.read_line())));
    peer.read_to_end();
  });
  Client client;
  join(client, server);
  (void)client.submit(message_with("a"));
  CHECK_FALSE(client.wants_write());
  std::optional<PublishResult> result;
  while (!result) {
    REQUIRE(sdk::poll_one(client.native_handle(), 1 /* POLLIN */, milliseconds{10000}) != 0);
    result = client.next_result(milliseconds{0});
  }
  CHECK(result->outcome == Outcome::Published);
}
