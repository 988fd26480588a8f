// Signal, FdWatcher and Resolver.
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "event/fd_watcher.h"
#include "event/resolver.h"
#include "event/signal.h"
#include "support.h"

namespace sluice::event {
namespace {

class Pipe {
 public:
  Pipe() {
    if (::pipe2(ends_.data(), O_CLOEXEC | O_NONBLOCK) != 0) throw std::runtime_error("no pipe");
  }
  ~Pipe() {
    for (const int fd : ends_)
      ::close(fd);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  int reading() const { return ends_[0]; }
  int writing() const { return ends_[1]; }
  /// Replaces it by another pipe with the same two descriptors.
  void reopen() {
    const std::array<int, 2> former = ends_;
    for (const int fd : ends_)
      ::close(fd);
    REQUIRE(::pipe2(ends_.data(), O_CLOEXEC | O_NONBLOCK) == 0);
    REQUIRE(ends_ == former);
  }

 private:
  std::array<int, 2> ends_{};
};

struct Ready {
  void on_ready(FdEvents events) noexcept {
    last = events;
    ++times;
  }
  FdEvents last;
  int times = 0;
};

struct Answer {
  void on_resolved(const Result<Resolver::Addresses>& result) noexcept { given = result; }
  std::optional<Result<Resolver::Addresses>> given;
};

}  // namespace

TEST_CASE("a signal is an event each time it arrives", "[signal]") {
  TestLoop loop;
  Count usr1;
  Count usr2;
  Signal first(loop, SIGUSR1, bind<&Count::up>(&usr1));
  Signal second(loop, SIGUSR2, bind<&Count::up>(&usr2));
  std::raise(SIGUSR1);
  CHECK(usr1.times == 0);
  loop.run_until([&] { return usr1.times == 1; });
  std::raise(SIGUSR1);
  loop.run_until([&] { return usr1.times == 2; });
  CHECK(usr2.times == 0);
}

TEST_CASE("a descriptor is watched for what was asked, and no longer", "[fd_watcher]") {
  TestLoop loop;
  const Pipe pipe;
  Ready ready;
  FdWatcher watcher(loop, pipe.reading(), bind<&Ready::on_ready>(&ready));
  watcher.watch({.readable = true});
  loop.run_turns(3);
  CHECK(ready.times == 0);
  REQUIRE(::write(pipe.writing(), "x", 1) == 1);
  loop.run_until([&] { return ready.times > 0; });
  CHECK(ready.last == FdEvents{.readable = true, .writable = false});
  watcher.watch({});
  const int former = ready.times;
  loop.run_turns(5);
  CHECK(ready.times == former);
  watcher.watch({.readable = true});
  loop.run_until([&] { return ready.times > former; });
}

TEST_CASE("a writable descriptor says so", "[fd_watcher]") {
  TestLoop loop;
  const Pipe pipe;
  Ready ready;
  FdWatcher watcher(loop, pipe.writing(), bind<&Ready::on_ready>(&ready));
  watcher.watch({.writable = true});
  loop.run_until([&] { return ready.times > 0; });
  CHECK(ready.last == FdEvents{.readable = false, .writable = true});
}

TEST_CASE("a descriptor outlives its watcher and can be watched anew", "[fd_watcher]") {
  TestLoop loop;
  const Pipe pipe;
  Ready ready;
  REQUIRE(::write(pipe.writing(), "x", 1) == 1);
  for (int i = 0; i < 3; ++i) {
    FdWatcher watcher(loop, pipe.reading(), bind<&Ready::on_ready>(&ready));
    watcher.watch({.readable = true});
    const int former = ready.times;
    loop.run_until([&] { return ready.times > former; });
  }
  loop.run_turns(2);
  char byte = 0;
  CHECK(::read(pipe.reading(), &byte, 1) == 1);
}

TEST_CASE("a watcher that is released calls back no more, and may be released again",
          "[fd_watcher]") {
  TestLoop loop;
  const Pipe pipe;
  Ready ready;
  FdWatcher watcher(loop, pipe.reading(), bind<&Ready::on_ready>(&ready));
  watcher.watch({.readable = true});
  REQUIRE(::write(pipe.writing(), "x", 1) == 1);
  watcher.release();
  watcher.release();
  watcher.watch({.readable = true});
  loop.run_turns(3);
  CHECK(ready.times == 0);
}

TEST_CASE("a watcher is released inside its own callback, and its descriptor's number watched anew",
          "[fd_watcher]") {
  TestLoop loop;
  Pipe pipe;
  Ready next_ready;
  std::unique_ptr<FdWatcher> next;
  struct Owner {
    void on_ready(FdEvents) noexcept {
      ++times;
      then();
    }
    std::function<void()> then;
    int times = 0;
  } owner;
  auto watcher = std::make_unique<FdWatcher>(loop, pipe.reading(), bind<&Owner::on_ready>(&owner));
  watcher->watch({.readable = true});
  owner.then = [&] {
    watcher->release();
    loop->retire(std::move(watcher));
    pipe.reopen();
    next = std::make_unique<FdWatcher>(loop, pipe.reading(), bind<&Ready::on_ready>(&next_ready));
    next->watch({.readable = true});
  };
  REQUIRE(::write(pipe.writing(), "x", 1) == 1);
  loop.run_until([&] { return owner.times > 0; });
  loop.run_turns(3);
  CHECK(next_ready.times == 0);  // the byte was the former pipe's
  REQUIRE(::write(pipe.writing(), "y", 1) == 1);
  loop.run_until([&] { return next_ready.times > 0; });
  CHECK(owner.times == 1);
}

TEST_CASE("an address in digits needs no resolving", "[resolver]") {
  CHECK(Resolver::is_numeric("127.0.0.1"));
  CHECK(Resolver::is_numeric("::1"));
  CHECK_FALSE(Resolver::is_numeric("localhost"));
  CHECK_FALSE(Resolver::is_numeric("127.0.0.1:80"));
  CHECK_FALSE(Resolver::is_numeric(""));
  CHECK(Resolver::wait_for("::1").value() == "::1");
  CHECK(Resolver::is_numeric(Resolver::wait_for("localhost").value()));
  CHECK_FALSE(Resolver::wait_for("no such name"));
}

TEST_CASE("a name becomes addresses, each once, in a later turn", "[resolver]") {
  TestLoop loop;
  Answer answer;
  Resolver resolver(loop, bind<&Answer::on_resolved>(&answer));
  resolver.resolve("localhost");
  resolver.resolve("127.0.0.9");  // ignored: one name at a time
  CHECK(resolver.is_busy());
  CHECK_FALSE(answer.given);
  loop.run_until([&] { return answer.given.has_value(); });
  REQUIRE(*answer.given);
  const Resolver::Addresses& addresses = answer.given->value();
  REQUIRE_FALSE(addresses.empty());
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    CHECK(Resolver::is_numeric(addresses[i]));
    for (std::size_t j = 0; j < i; ++j)
      CHECK(addresses[i] != addresses[j]);
  }
  CHECK_FALSE(resolver.is_busy());
}

TEST_CASE("a name that is none is an error that names it, in a later turn", "[resolver]") {
  TestLoop loop;
  Answer answer;
  Resolver resolver(loop, bind<&Answer::on_resolved>(&answer));
  const std::string name(2000, 'x');
  resolver.resolve(name);
  CHECK(resolver.is_busy());
  CHECK_FALSE(answer.given);
  loop.run_until([&] { return answer.given.has_value(); });
  REQUIRE_FALSE(*answer.given);
  CHECK(answer.given->error().what.find(name) != std::string::npos);
  answer.given.reset();
  resolver.resolve("127.0.0.1");
  loop.run_until([&] { return answer.given.has_value(); });
  CHECK(*answer.given);
}

TEST_CASE("a resolver that dies drops the answer still to come", "[resolver]") {
  TestLoop loop;
  Answer answer;
  {
    Resolver resolver(loop, bind<&Answer::on_resolved>(&answer));
    resolver.resolve("localhost");
  }
  {
    Resolver resolver(loop, bind<&Answer::on_resolved>(&answer));
    resolver.resolve(std::string(2000, 'x'));
  }
  loop.run_until([&] { return !loop->has_requests(); });
  CHECK_FALSE(answer.given);
}

}  // namespace sluice::event
