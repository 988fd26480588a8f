// Nobody reads what the log writes: the lines are lost and counted, and no write waits.
#include <fcntl.h>
#include <pty.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

#include "base/log.h"
#include "catch.h"

namespace sluice::log {
namespace {

/// Standard error while it lives: `end` of a pair whose other end the test reads.
class Reader {
 public:
  explicit Reader(std::pair<int, int> ends) : read_from_(ends.first) {
    std::signal(SIGPIPE, SIG_IGN);
    former_ = ::dup(STDERR_FILENO);
    ::dup2(ends.second, STDERR_FILENO);
    ::close(ends.second);
    ::fcntl(read_from_, F_SETFL, O_NONBLOCK);
  }
  ~Reader() {
    leave();
    ::dup2(former_, STDERR_FILENO);
    ::close(former_);
    (void)configure({});
  }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  void leave() {
    if (read_from_ >= 0) ::close(std::exchange(read_from_, -1));
  }
  int fd() const { return read_from_; }
  std::string read() const {
    std::string all;
    std::array<char, 4096> some{};
    for (ssize_t count = 0; (count = ::read(read_from_, some.data(), some.size())) > 0;)
      all.append(some.data(), static_cast<std::size_t>(count));
    return all;
  }

 private:
  int read_from_;
  int former_;
};

std::pair<int, int> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) throw std::runtime_error("cannot make a pipe");
  ::fcntl(ends[1], F_SETPIPE_SZ, 8192);
  return {ends[0], ends[1]};
}

std::pair<int, int> make_sockets() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) != 0)
    throw std::runtime_error("cannot make sockets");
  return {ends[0], ends[1]};
}

std::pair<int, int> make_terminal() {
  int master = -1;
  int end = -1;
  if (::openpty(&master, &end, nullptr, nullptr, nullptr) != 0)
    throw std::runtime_error("cannot make a terminal");
  return {master, end};
}

/// While it lives what another user opened cannot be opened anew.
class OtherUser {
 public:
  OtherUser() : was_root_(::geteuid() == 0) {
    ::fchmod(STDERR_FILENO, 0);
    if (was_root_ && ::seteuid(65534) != 0) throw std::runtime_error("cannot change the user");
  }
  ~OtherUser() {
    if (was_root_ && ::seteuid(0) != 0) std::abort();
  }
  OtherUser(const OtherUser&) = delete;
  OtherUser& operator=(const OtherUser&) = delete;

 private:
  const bool was_root_;
};

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// Writes more lines than any of these ends holds; what is lost is counted, here and in the log.
void expect_losses_without_waiting(const Reader& reader) {
  const std::uint64_t before = lines_lost();
  constexpr int kLines = 5000;
  for (int number = 0; number < kLines; ++number)
    info("line {}", number);
  const std::uint64_t lost = lines_lost() - before;
  CHECK(lost > 0);
  const std::string read = reader.read();
  CHECK(has(read, "line 0\n"));
  CHECK_FALSE(has(read, "line 4999\n"));
  info("after");
  const std::string rest = reader.read();
  CHECK(has(rest, std::to_string(lost) + " lines lost: standard error could not be written\n"));
  CHECK(has(rest, "after\n"));
  CHECK(lines_lost() - before == lost);
}

}  // namespace

TEST_CASE("a pipe on standard error that is not read costs lines, and no time", "[log]") {
  const Reader reader(make_pipe());
  SECTION("as standard error") {
    REQUIRE(configure({}));
    expect_losses_without_waiting(reader);
  }
  SECTION("where it cannot be opened anew") {
    const OtherUser user;
    REQUIRE(configure({}));
    expect_losses_without_waiting(reader);
  }
  CHECK((::fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK) == 0);
}

TEST_CASE("a socket on standard error that is not read costs lines, and no time", "[log]") {
  const Reader reader(make_sockets());
  REQUIRE(configure({}));
  const std::uint64_t before = lines_lost();
  for (int number = 0; number < 5000; ++number)
    info("line {}", number);
  CHECK(lines_lost() > before);
  CHECK(has(reader.read(), "line 0\n"));
  info("after");
  CHECK(has(reader.read(), "after\n"));
}

TEST_CASE("the log file /dev/stderr is standard error, whatever that is", "[log]") {
  const Reader reader(GENERATE(0, 1) == 0 ? make_pipe() : make_sockets());
  const std::string name = GENERATE("/dev/stderr", "/dev/fd/2", "/proc/self/fd/2");
  REQUIRE(configure({.level = Level::Info, .file = name}));
  const std::uint64_t before = lines_lost();
  for (int number = 0; number < 5000; ++number)
    info("line {}", number);
  CHECK(lines_lost() > before);
  CHECK(has(reader.read(), "line 0\n"));
  REQUIRE(reopen());
  info("after");
  CHECK(has(reader.read(), "after\n"));
}

TEST_CASE("a descriptor that is not there is no log file", "[log]") {
  const Result<void> failed = configure({.level = Level::Info, .file = "/dev/fd/987"});
  REQUIRE_FALSE(failed);
  CHECK(failed.error().what == "log file /dev/fd/987: Bad file descriptor");
}

TEST_CASE("a terminal that is stopped costs lines, and no time", "[log]") {
  const Reader reader(make_terminal());
  const auto stop_and_go = [&reader] {
    REQUIRE(configure({}));
    const std::uint64_t before = lines_lost();
    REQUIRE(::tcflow(STDERR_FILENO, TCOOFF) == 0);  // Ctrl-S
    info("stopped");
    CHECK(lines_lost() == before + 1);
    REQUIRE(::tcflow(STDERR_FILENO, TCOON) == 0);  // Ctrl-Q
    info("goes on");
    const std::string text = reader.read();
    CHECK(has(text, "1 line lost"));
    CHECK(has(text, "goes on"));
    for (int number = 0; number < 5000; ++number)  // and one that hangs
      info("line {}", number);
    CHECK(lines_lost() > before + 1);
    CHECK_FALSE(has(reader.read(), "line 4999"));
  };
  SECTION("as standard error") {
    stop_and_go();
  }
  SECTION("where it cannot be opened anew") {
    const OtherUser user;
    stop_and_go();
  }
}

TEST_CASE("of a line longer than a pipe holds the next one is told apart", "[log]") {
  const Reader reader(make_pipe());
  const auto cut = [&reader] {
    REQUIRE(configure({}));
    info("{}", std::string(100000, 'x'));
    const std::string first = reader.read();
    CHECK(has(first, "xxx"));
    info("after");
    const std::string rest = reader.read();
    CHECK(rest.starts_with('\n'));
    CHECK(has(rest, "1 line lost"));
    CHECK(has(rest, "after\n"));
  };
  SECTION("as standard error") {
    cut();
  }
  SECTION("where it cannot be opened anew") {
    const OtherUser user;
    cut();
  }
}

TEST_CASE("standard error whose reader has gone costs lines", "[log]") {
  Reader reader(make_pipe());
  reader.leave();
  REQUIRE(configure({}));
  const std::uint64_t before = lines_lost();
  info("nobody reads this");
  CHECK(lines_lost() == before + 1);
}

}  // namespace sluice::log
