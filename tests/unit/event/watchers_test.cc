// Signal and FdWatcher.
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <functional>
#include <memory>
#include <utility>

#include "event/fd_watcher.h"
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

}  // namespace sluice::event
