// How long a connection of the admin interface may last.
#include "admin/http_server.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "catch.h"
#include "config/address.h"
#include "event/support.h"
#include "test_loop.h"

using namespace sluice;
using namespace sluice::admin;

namespace {

/// Of the only socket of this process that listens.
std::uint16_t listening_port() {
  for (int fd = 3; fd < 256; ++fd) {
    int listens = 0;
    socklen_t size = sizeof(listens);
    const int status = ::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size);
    if (status != 0 || listens == 0) continue;
    sockaddr_in address{};
    size = sizeof(address);
    REQUIRE(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    return ntohs(address.sin_port);
  }
  FAIL("nothing listens");
  return 0;
}

struct Scene {
  Scene() {
    Result<config::Address> address = config::parse_host_port("127.0.0.1:0");
    REQUIRE(address);
    REQUIRE(http.listen(*address));
    port = listening_port();
  }
  void finished() noexcept {}

  event::Socket connect(std::string_view text) const {
    event::Socket socket = event::Socket::tcp(port);
    socket.send(text);
    return socket;
  }

  event::TestLoop loop;
  app::App app{loop, {}, {}, bind<&Scene::finished>(this)};
  HttpServer http{loop, app};
  std::uint16_t port = 0;
};

constexpr std::string_view kHealth = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";

}  // namespace

TEST_CASE("a connection that drips is ended after five seconds", "[http_server]") {
  Scene scene;
  event::Socket slow = scene.connect("G");
  scene.loop.run_turns(50);
  for (int i = 0; i < 49; ++i) {
    scene.loop.advance(Duration(100));
    slow.send("G");
  }
  slow.receive();
  CHECK_FALSE(slow.at_end());
  scene.loop.advance(Duration(100));
  scene.loop.run_until([&] {
    slow.receive();
    return slow.at_end();
  });
}

TEST_CASE("a request whose rest came while the process was stopped is answered", "[http_server]") {
  Scene scene;
  event::Socket probe = scene.connect(kHealth.substr(0, 20));
  event::Socket silent = scene.connect(kHealth.substr(0, 20));
  scene.loop.run_turns(50);
  probe.send(kHealth.substr(20));
  scene.loop.clock.move_to(scene.loop.clock.now() + std::chrono::seconds(11));
  std::string answer;
  scene.loop.run_until([&] {
    answer += probe.receive();
    silent.receive();
    return probe.at_end() && silent.at_end();
  });
  CHECK(answer.find("200 OK") != std::string::npos);
}

TEST_CASE("connections that do not ask hold up a probe for no longer than 100 ms",
          "[http_server]") {
  Scene scene;
  std::vector<event::Socket> crowd;
  for (int i = 0; i < 20; ++i)
    crowd.push_back(scene.connect("G"));
  scene.loop.run_turns(50);
  event::Socket late = scene.connect(kHealth);
  scene.loop.advance(Duration(99));
  CHECK(late.receive().empty());
  scene.loop.advance(Duration(1));
  std::string answer;
  scene.loop.run_until([&] {
    answer += late.receive();
    return answer.find("200 OK") != std::string::npos;
  });
  crowd.front().receive();
  CHECK(crowd.front().at_end());
  // What came with the probe is younger than 100 ms, and what is no crowd any more has its time.
  scene.loop.advance(Duration(1000));
  crowd.back().receive();
  CHECK_FALSE(crowd.back().at_end());
}
