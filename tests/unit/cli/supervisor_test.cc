// What systemd hears: a datagram socket of the test stands for it.
#include "cli/supervisor.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string>
#include <vector>

#include "catch.h"
#include "test_loop.h"

namespace sluice::cli {
namespace {

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// Stands for systemd, at an abstract address: no file is left behind.
class Systemd {
 public:
  explicit Systemd(const char* watchdog_us = nullptr) {
    const std::string name = "sluice-supervisor-test-" + std::to_string(::getpid());
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    name.copy(address.sun_path + 1, sizeof(address.sun_path) - 2);
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
    REQUIRE(::bind(fd_, reinterpret_cast<const sockaddr*>(&address), size) == 0);
    ::setenv("NOTIFY_SOCKET", ("@" + name).c_str(), 1);
    if (watchdog_us != nullptr) ::setenv("WATCHDOG_USEC", watchdog_us, 1);
  }
  ~Systemd() {
    ::unsetenv("NOTIFY_SOCKET");
    ::unsetenv("WATCHDOG_USEC");
    ::close(fd_);
  }
  Systemd(const Systemd&) = delete;
  Systemd& operator=(const Systemd&) = delete;

  /// Sends to it until it takes no more; returns how many datagrams fit.
  std::size_t fill() const {
    sockaddr_un address{};
    socklen_t size = sizeof(address);
    REQUIRE(::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    const int other = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    std::size_t count = 0;
    while (::sendto(other, "x", 1, 0, reinterpret_cast<const sockaddr*>(&address), size) == 1)
      ++count;
    ::close(other);
    return count;
  }

  /// What was said since the last call, one entry for each time.
  std::vector<std::string> heard() const {
    std::vector<std::string> messages;
    std::array<char, 512> bytes{};
    ssize_t count = 0;
    while ((count = ::recv(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT)) > 0)
      messages.emplace_back(bytes.data(), static_cast<std::size_t>(count));
    return messages;
  }

 private:
  const int fd_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
};

}  // namespace

TEST_CASE("ready is said in a turn of the loop, not before", "[supervisor]") {
  const Systemd systemd;
  event::TestLoop loop;
  Supervisor supervisor(loop);
  supervisor.start();
  CHECK(systemd.heard().empty());
  loop.run_turns();
  const auto heard = systemd.heard();
  REQUIRE(heard.size() == 1);
  CHECK(has(heard[0], "READY=1\nSTATUS="));
}

TEST_CASE("the watchdog is fed at half its time, by the loop alone", "[supervisor]") {
  const Systemd systemd("40000");
  event::TestLoop loop;
  Supervisor supervisor(loop);
  supervisor.start();
  loop.run_turns();
  CHECK(systemd.heard().size() == 1);  // ready
  loop.advance(Duration(19));
  CHECK(systemd.heard().empty());
  loop.advance(Duration(81));
  CHECK(systemd.heard() == std::vector<std::string>(5, "WATCHDOG=1"));
  loop.clock.move_to(loop.clock.now() + std::chrono::seconds(1));  // and the loop hangs
  CHECK(systemd.heard().empty());
}

TEST_CASE("a reload is said with its time, and its end is ready again", "[supervisor]") {
  const Systemd systemd;
  event::TestLoop loop;
  Supervisor supervisor(loop);
  supervisor.reloading();
  supervisor.reloaded("the former configuration goes on");
  supervisor.stopping();
  const auto heard = systemd.heard();
  REQUIRE(heard.size() == 3);
  CHECK(has(heard[0], "RELOADING=1\nMONOTONIC_USEC="));
  CHECK(heard[1] == "READY=1\nSTATUS=the former configuration goes on");
  CHECK(has(heard[2], "STOPPING=1\n"));
}

TEST_CASE("what a full socket does not take is said when it has room, in order", "[supervisor]") {
  const Systemd systemd;
  const std::size_t filled = systemd.fill();
  event::TestLoop loop;
  Supervisor supervisor(loop);
  supervisor.start();
  loop.run_turns();
  supervisor.reloading();
  supervisor.reloaded("serving");
  loop.advance(Duration(1000));
  CHECK(systemd.heard().size() == filled);
  loop.advance(Duration(100));
  const auto heard = systemd.heard();
  REQUIRE(heard.size() == 3);
  CHECK(has(heard[0], "READY=1"));
  CHECK(has(heard[1], "RELOADING=1"));
  CHECK(heard[2] == "READY=1\nSTATUS=serving");
  loop.advance(Duration(1000));
  CHECK(systemd.heard().empty());
}

TEST_CASE("for a socket that stays full the latest notifications are kept, and no sign of life",
          "[supervisor]") {
  const Systemd systemd("40000");
  systemd.fill();
  event::TestLoop loop;
  Supervisor supervisor(loop);
  supervisor.start();
  for (int i = 0; i < 100; ++i)
    supervisor.reloaded(std::to_string(i));
  supervisor.stopping();
  loop.advance(Duration(1010));
  systemd.heard();
  loop.advance(Duration(90));
  const auto heard = systemd.heard();
  REQUIRE(heard.size() >= Supervisor::kMostUnsent);
  CHECK(has(heard[0], "READY=1\nSTATUS=94"));
  CHECK(has(heard[Supervisor::kMostUnsent - 2], "STOPPING=1"));
}

TEST_CASE("the watchdog of another process gets nothing", "[supervisor]") {
  const Systemd systemd("40000");
  ::setenv("WATCHDOG_PID", std::to_string(::getpid() + 1).c_str(), 1);
  event::TestLoop loop;
  Supervisor supervisor(loop);
  supervisor.start();
  loop.advance(Duration(100));
  ::unsetenv("WATCHDOG_PID");
  CHECK(systemd.heard().size() == 1);  // ready
}

TEST_CASE("nobody who asked is told nothing", "[supervisor]") {
  const std::string ignored = "@" + std::to_string(::getpid()) + "-nobody-listens";
  ::setenv("NOTIFY_SOCKET", ignored.c_str(), 1);
  event::TestLoop loop;
  Supervisor deaf(loop);
  deaf.stopping();
  ::unsetenv("NOTIFY_SOCKET");
  Supervisor supervisor(loop);
  supervisor.start();
  supervisor.reloading();
  supervisor.stopping();
  loop.run_turns();
}

}  // namespace sluice::cli
