// The client when things go wrong: closed, reset, silent, overloaded and slow servers.
#include <pthread.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "catch.h"
#include "scripted_server.h"
#include "sluice/client.h"

using namespace sluice;
using namespace sluice::test;
using std::chrono::milliseconds;

namespace {

/// All results, by ticket.
std::map<Ticket, PublishResult> collect(Client& client) {
  std::map<Ticket, PublishResult> results;
  while (client.outstanding() > 0) {
    auto result = client.next_result();
    REQUIRE(result);
    const Ticket ticket = result->ticket;
    CHECK(results.emplace(ticket, std::move(*result)).second);
  }
  return results;
}

}  // namespace

TEST_CASE("a refused connection is said, and messages then are not published", "[sdk]") {
  std::string address;
  {
    address = ScriptedServer([](Peer&) {}).address();
  }  // nobody listens there any more
  Client client;
  CHECK_FALSE(client.connect(address));
  CHECK(client.error() == address + ": Connection refused");
  CHECK_FALSE(client.connect("unix:///nowhere/at/all"));
  CHECK_FALSE(client.connect("tls://localhost:1"));
  CHECK(client.error() == "tls://localhost:1: tls:// is not supported yet");
  const PublishResult result = client.publish(message_with("a"));
  CHECK(result.outcome == Outcome::NotPublished);
  CHECK(result.error == "not_connected");
}

TEST_CASE("what was handed over is unknown when the server closes, what was answered is not",
          "[sdk]") {
  ScriptedServer server([](Peer& peer) {
    const std::string id = id_of(peer.read_line());
    (void)peer.read_line();
    peer.write(success(id));
    peer.end();
  });
  Client client;
  REQUIRE(client.connect(server.address()));
  const auto first = client.submit(message_with("a"));
  const auto second = client.submit(message_with("b"));
  auto results = collect(client);
  CHECK(results[*first].outcome == Outcome::Published);
  CHECK(results[*second].outcome == Outcome::Unknown);
  CHECK(results[*second].error == "connection_lost");
  CHECK(results[*second].reply.empty());
  CHECK_FALSE(client.is_connected());
  CHECK(client.error() == "closed by the server");
}

TEST_CASE("a request the kernel never got whole was not published", "[sdk]") {
  constexpr int kSmallBuffer = 4096;
  constexpr std::size_t kSize = std::size_t{8} * 1024 * 1024;
  std::atomic<bool> is_full{false};
  ScriptedServer server(
      [&](Peer& peer) {
        (void)peer.read_line();
        is_full.wait(false);
        peer.reset_on_close();
      },
      kSmallBuffer);
  Client client;
  REQUIRE(client.connect(server.address()));
  const auto small = client.submit(message_with("a"));
  const auto large = client.submit(message_with(std::string(kSize, 'x')));
  CHECK(client.wants_write());
  is_full = true;
  is_full.notify_one();
  auto results = collect(client);
  CHECK(results[*small].outcome == Outcome::Unknown);
  CHECK(results[*large].outcome == Outcome::NotPublished);
  CHECK(results[*large].error == "connection_lost");
}

TEST_CASE("writing to a server that has gone is a result and no SIGPIPE", "[sdk]") {
  const TemporaryPath place;
  Client client;
  {
    ScriptedServer server(place.path(), [](Peer&) {});
    REQUIRE(client.connect(server.address()));
  }  // the server's end is closed, which the client has not looked at yet
  const PublishResult result = client.publish(message_with("a"));
  CHECK(result.outcome == Outcome::NotPublished);
  CHECK(result.error == "connection_lost");
}

TEST_CASE("signals neither end a wait nor a transfer", "[sdk]") {
  struct sigaction counting {};
  struct sigaction former {};
  counting.sa_handler = [](int) {};  // without SA_RESTART: calls are interrupted
  ::sigaction(SIGUSR1, &counting, &former);
  const pthread_t caller = ::pthread_self();
  const TemporaryPath place;
  const std::size_t piece = more_than_a_socket_holds();
  ScriptedServer server(place.path(), [caller, piece](Peer& peer) {
    for (std::size_t size = piece; peer.read_bytes(size); size += piece) {
      ::pthread_kill(caller, SIGUSR1);
      if (size == 8 * piece) break;
    }
    const std::string id = id_of(peer.read_line());
    for (int i = 0; i < 100; ++i) {
      ::pthread_kill(caller, SIGUSR1);
      std::this_thread::yield();
    }
    peer.write(success(id));
    peer.read_to_end();
  });
  Client client;
  REQUIRE(client.connect(server.address()));
  CHECK(client.publish(message_with(std::string(8 * piece, 'x'))).outcome == Outcome::Published);
  client.close();
  ::sigaction(SIGUSR1, &former, nullptr);
}

TEST_CASE("closing settles what is outstanding, and the client connects again", "[sdk]") {
  ScriptedServer silent([](Peer& peer) { peer.read_to_end(); });
  ScriptedServer server([](Peer& peer) {
    peer.write(success(id_of(peer.read_line())));
    peer.read_to_end();
  });
  Client client;
  REQUIRE(client.connect(silent.address()));
  const auto lost = client.submit(message_with("a"));
  REQUIRE(client.connect(server.address()));
  CHECK(client.error().empty());
  CHECK(client.publish(message_with("b")).outcome == Outcome::Published);
  auto results = collect(client);
  CHECK(results[*lost].outcome == Outcome::Unknown);
}

TEST_CASE("a server that says nothing is given up", "[sdk]") {
  ScriptedServer server([](Peer& peer) { peer.read_to_end(); });
  ClientOptions options;
  options.reply_timeout = milliseconds{20};
  Client client(options);
  REQUIRE(client.connect(server.address()));
  CHECK_FALSE(client.next_result(milliseconds{0}));
  const PublishResult result = client.publish(message_with("a"));
  CHECK(result.outcome == Outcome::Unknown);
  CHECK(result.error == "no_reply");
  CHECK_FALSE(client.is_connected());
}

TEST_CASE("next_result gives up when its time is over and the message stays outstanding", "[sdk]") {
  ScriptedServer server([](Peer& peer) { peer.read_to_end(); });
  Client client;
  REQUIRE(client.connect(server.address()));
  (void)client.submit(message_with("a"));
  CHECK_FALSE(client.next_result(milliseconds{0}));
  CHECK_FALSE(client.next_result(milliseconds{1}));
  CHECK(client.outstanding() == 1);
}

TEST_CASE("a server that is full says so once, and then nothing was published", "[sdk]") {
  ScriptedServer server([](Peer& peer) {
    peer.write(failure("overloaded", "no", ""));
    peer.end();
  });
  Client client;
  REQUIRE(client.connect(server.address()));
  for (int i = 0; i < 5; ++i)
    (void)client.submit(message_with("a"));
  for (const auto& [ticket, result] : collect(client)) {
    CAPTURE(ticket);
    CHECK(result.outcome == Outcome::NotPublished);
    CHECK(result.error == "overloaded");
    CHECK_FALSE(result.reply.empty());
  }
  CHECK(client.error() == "the server is overloaded: why");
}

TEST_CASE("overloaded in mid-connection leaves what may have been read unknown", "[sdk]") {
  ScriptedServer server([](Peer& peer) {
    const std::string id = id_of(peer.read_line());
    for (int i = 0; i < 2; ++i)
      (void)peer.read_line();
    peer.write(success(id) + failure("overloaded", "no", ""));
    peer.end();
  });
  Client client;
  REQUIRE(client.connect(server.address()));
  for (int i = 0; i < 3; ++i)
    (void)client.submit(message_with("a"));
  auto results = collect(client);
  CHECK(results[1].outcome == Outcome::Published);
  CHECK(results[2].outcome == Outcome::Unknown);
  CHECK(results[3].outcome == Outcome::Unknown);
}

TEST_CASE("too_large without an id belongs to the largest request that has begun", "[sdk]") {
  ScriptedServer server([](Peer& peer) {
    std::vector<std::string> ids;
    for (int i = 0; i < 3; ++i)
      ids.push_back(id_of(peer.read_line()));
    peer.write(failure("too_large", "no", "") + success(ids[0]) + success(ids[2]));
    peer.read_to_end();
  });
  Client client;
  REQUIRE(client.connect(server.address()));
  (void)client.submit(message_with("a"));
  (void)client.submit(message_with(std::string(5000, 'x')));
  (void)client.submit(message_with("b"));
  auto results = collect(client);
  CHECK(results[1].outcome == Outcome::Published);
  CHECK(results[2].outcome == Outcome::Refused);
  CHECK(results[2].error == "too_large");
  CHECK(results[3].outcome == Outcome::Published);
}

TEST_CASE("garbage ends the connection and promises nothing", "[sdk]") {
  for (const std::string garbage :
       {"220 mail ready\r\n", "{\"code\":7}\n", "{\"code\":1,\"id\":{}}"}) {
    CAPTURE(garbage);
    ScriptedServer server([&](Peer& peer) {
      (void)peer.read_line();
      peer.write(garbage);
      peer.read_to_end();
    });
    Client client;
    REQUIRE(client.connect(server.address()));
    CHECK(client.publish(message_with("a")).outcome == Outcome::Unknown);
    CHECK(client.error() == "the server sent something that is no reply");
  }
}

TEST_CASE("a server that writes before it reads and a client that does the same make headway",
          "[sdk]") {
  // More than all buffers between the two can hold, in both directions, before either reads.
  constexpr int kMessages = 16;
  const TemporaryPath place;
  const std::size_t piece = more_than_a_socket_holds() / 8;
  ScriptedServer server(place.path(), [piece](Peer& peer) {
    const std::string filler =
        failure("no_route", "no", R"(,"id":"none","x":")" + std::string(piece, 'y') + "\"");
    for (int i = 0; i < kMessages; ++i)
      peer.write(filler);
    for (int i = 0; i < kMessages; ++i) {
      const std::string request = peer.read_line();
      peer.write(R"({"code":1,"x":")" + std::string(piece, 'z') + R"(","id":)" + id_of(request) +
                 "}\n");
    }
    peer.read_to_end();
  });
  ClientOptions options;
  options.window_bytes = 8 * piece;
  Client client(options);
  REQUIRE(client.connect(server.address()));
  int submitted = 0;
  int published = 0;
  while (published < kMessages) {
    if (submitted < kMessages && client.submit(message_with(std::string(piece, 'x')))) {
      ++submitted;
      continue;
    }
    const auto result = client.next_result();
    if (!result) continue;  // room in the output
    REQUIRE(result->outcome == Outcome::Published);
    ++published;
  }
  CHECK(client.outstanding() == 0);
}

TEST_CASE("a request answered before it was written is still written to its end", "[sdk]") {
  const TemporaryPath place;
  const std::size_t piece = more_than_a_socket_holds();
  ScriptedServer server(place.path(), [piece](Peer& peer) {
    if (!peer.read_bytes(piece)) return;
    peer.write(failure("too_large", "no", ""));
    (void)peer.read_line();
    peer.write(success(id_of(peer.read_line())));
    peer.read_to_end();
  });
  ClientOptions options;
  options.window_bytes = 1;
  Client client(options);
  REQUIRE(client.connect(server.address()));
  CHECK(client.publish(message_with(std::string(4 * piece, 'x'))).outcome == Outcome::Refused);
  while (!client.can_submit())
    CHECK_FALSE(client.next_result());
  CHECK(client.publish(message_with("b")).outcome == Outcome::Published);
}
