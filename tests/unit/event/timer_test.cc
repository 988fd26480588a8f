// Timers: when they fire, in which order, and what may change meanwhile.
#include "event/timer.h"

#include <sys/socket.h>

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "event/fd_watcher.h"
#include "support.h"

namespace sluice::event {
namespace {

using std::chrono::hours;

/// Appends its letter when its timer fires, and then does what the test orders.
class Alarm {
 public:
  Alarm(Loop& loop, std::string& text, char letter)
      : timer(loop, bind<&Alarm::on_fired>(this)), text_(text), letter_(letter) {}

  Timer timer;
  std::function<void()> then;

 private:
  void on_fired() {
    text_ += letter_;
    if (const auto step = then) step();
  }
  std::string& text_;
  char letter_;
};

struct Scene {
  Alarm& alarm(char letter) {
    auto& made = alarms[letter];
    if (made == nullptr) made = std::make_unique<Alarm>(loop, text, letter);
    return *made;
  }
  Timer& timer(char letter) { return alarm(letter).timer; }
  /// Advances the clock without running the loop.
  void stall(Duration time) {
    loop.clock.move_to(loop.clock.now() + time);
    loop.run_turns();
  }

  TestLoop loop;
  std::string text;
  std::map<char, std::unique_ptr<Alarm>> alarms;
};

/// Destroys itself in its own callback, through Loop::retire().
class OneShot {
 public:
  OneShot(Loop& loop, bool& fired) : loop_(loop), fired_(fired) {}
  static void launch(Loop& loop, bool& fired) {
    auto shot = std::make_unique<OneShot>(loop, fired);
    OneShot& self = *shot;
    self.self_ = std::move(shot);
    self.timer_.start(Duration(1));
  }

 private:
  void on_fired() noexcept {
    fired_ = true;
    loop_.retire(std::move(self_));
  }
  Loop& loop_;
  bool& fired_;
  std::unique_ptr<OneShot> self_;
  Timer timer_{loop_, bind<&OneShot::on_fired>(this)};
};

}  // namespace

TEST_CASE("a timer fires once, when its time has come and not before", "[timer]") {
  Scene scene;
  scene.timer('a').start(Duration(10));
  CHECK(scene.timer('a').is_active());
  scene.loop.advance(Duration(9));
  CHECK(scene.text.empty());
  scene.loop.advance(Duration(1));
  CHECK(scene.text == "a");
  CHECK_FALSE(scene.timer('a').is_active());
  scene.loop.advance(hours(1));
  CHECK(scene.text == "a");
}

TEST_CASE("timers fire in the order of their deadlines, equal ones as they were started",
          "[timer]") {
  Scene scene;
  scene.timer('c').start(Duration(2));
  scene.timer('d').start(Duration(2));
  scene.timer('a').start(Duration(1));
  scene.timer('e').start(Duration(2));
  scene.timer('b').start(Duration(1));
  scene.timer('c').start(Duration(2));  // behind the others now
  scene.stall(Duration(5));
  CHECK(scene.text == "abdec");
}

TEST_CASE("time that passes several deadlines stops at each of them", "[timer]") {
  Scene scene;
  const TimePoint begin = scene.loop.now();
  std::vector<Duration> seen;
  for (const char letter : {'a', 'b', 'c'}) {
    scene.timer(letter).start(Duration(10 * (letter - 'a' + 1)));
    scene.alarm(letter).then = [&] { seen.push_back(scene.loop.now() - begin); };
  }
  scene.loop.advance(Duration(100));
  CHECK(seen == std::vector{Duration(10), Duration(20), Duration(30)});
  CHECK(scene.loop.now() == begin + Duration(100));
}

TEST_CASE("a timer that is started by another one fires at its own time, too", "[timer]") {
  Scene scene;
  scene.timer('a').start(Duration(10));
  scene.alarm('a').then = [&] { scene.timer('b').start(Duration(10)); };
  scene.timer('c').start(Duration(25));
  scene.loop.advance(Duration(100));
  CHECK(scene.text == "abc");
}

TEST_CASE("a repeating timer fires each time its interval has passed, until it is stopped",
          "[timer]") {
  Scene scene;
  scene.timer('a').start_repeating(Duration(10));
  scene.loop.advance(Duration(35));
  CHECK(scene.text == "aaa");
  CHECK(scene.timer('a').is_active());
  scene.alarm('a').then = [&] { scene.timer('a').stop(); };
  scene.loop.advance(Duration(100));
  CHECK(scene.text == "aaaa");
}

TEST_CASE("what a repeating timer has missed it does not make up for", "[timer]") {
  Scene scene;
  scene.timer('a').start_repeating(Duration(10));
  scene.stall(Duration(35));
  scene.loop.run_turns();
  CHECK(scene.text == "a");
  scene.loop.advance(Duration(9));
  CHECK(scene.text == "a");
  scene.loop.advance(Duration(1));
  CHECK(scene.text == "aa");
}

TEST_CASE("a later start replaces an earlier one, also that of a repeating timer", "[timer]") {
  Scene scene;
  scene.timer('a').start(Duration(1));
  scene.timer('a').start(hours(1));
  scene.loop.advance(Duration(5));
  CHECK(scene.text.empty());
  scene.timer('a').start_repeating(Duration(1));
  scene.timer('a').start(Duration(-5));  // due already
  scene.loop.advance(Duration(5));
  CHECK(scene.text == "a");
}

TEST_CASE("a delay that the clock cannot count never ends", "[timer]") {
  Scene scene;
  scene.timer('a').start(Duration::max());
  scene.loop.advance(hours(1000));
  CHECK(scene.text.empty());
  CHECK(scene.timer('a').is_active());
}

TEST_CASE("of timers that are due together the first one may stop, restart or destroy the next",
          "[timer]") {
  Scene scene;
  for (const char letter : {'a', 'b', 'c', 'd', 'e'})
    scene.timer(letter).start(Duration(1));
  scene.alarm('a').then = [&] {
    scene.timer('b').stop();
    scene.timer('c').start(Duration(10));
    scene.alarms.erase('d');
  };
  scene.stall(Duration(5));
  CHECK(scene.text == "ae");
  scene.loop.advance(Duration(100));
  CHECK(scene.text == "aec");
}

TEST_CASE("a timer that starts itself or another one anew with no delay fires in the next turn",
          "[timer]") {
  Scene scene;
  scene.timer('a').start(Duration(1));
  scene.timer('b').start(Duration(1));
  scene.alarm('a').then = [&] {
    scene.alarm('a').then = {};
    scene.timer('a').start(Duration(0));
    scene.timer('b').start(Duration(0));
  };
  scene.stall(Duration(1));
  CHECK(scene.text == "a");
  scene.loop.run_turns(1);
  CHECK(scene.text == "aab");
}

TEST_CASE("a timer may be destroyed while it fires, a repeating one, too", "[timer]") {
  Scene scene;
  scene.timer('a').start(Duration(1));
  scene.timer('b').start_repeating(Duration(1));
  scene.timer('c').start(Duration(1));
  for (const char letter : {'a', 'b'})
    scene.alarm(letter).then = [&scene, letter] { scene.alarms.erase(letter); };
  scene.loop.advance(Duration(10));
  CHECK(scene.text == "abc");
}

TEST_CASE("a timer's owner may retire itself when it fires", "[timer]") {
  TestLoop loop;
  bool fired = false;
  OneShot::launch(loop, fired);
  loop.advance(Duration(1));
  CHECK(fired);
}

TEST_CASE("whatever is started, stopped and destroyed, the others fire in their order", "[timer]") {
  Scene scene;
  std::mt19937 dice(3);
  // By deadline, then by the order of starts.
  std::map<std::pair<TimePoint, int>, char> expected;
  int starts = 0;
  const auto forget = [&](char letter) {
    std::erase_if(expected, [letter](const auto& entry) { return entry.second == letter; });
  };
  std::string in_order;
  for (int step = 0; step < 3000; ++step) {
    const char letter = static_cast<char>('a' + dice() % 26);
    forget(letter);
    switch (dice() % 8) {
      case 0:
        scene.alarms.erase(letter);
        break;
      case 1:
        scene.timer(letter).stop();
        break;
      default: {
        const Duration after(dice() % 50);
        scene.timer(letter).start(after);
        expected[{scene.loop.now() + after, ++starts}] = letter;
      }
    }
    if (dice() % 4 != 0) continue;
    scene.stall(Duration(dice() % 10));
    while (!expected.empty() && expected.begin()->first.first <= scene.loop.now()) {
      in_order += expected.begin()->second;
      expected.erase(expected.begin());
    }
    REQUIRE(scene.text == in_order);
  }
  CHECK(in_order.size() > 500);
}

// --- with the system's clock

namespace {

/// Timers that the system's clock drives.
struct RealScene {
  ~RealScene() {
    alarms.clear();
    CHECK(loop.close() == 0);
  }
  Alarm& alarm(std::size_t index) {
    while (alarms.size() <= index)
      alarms.push_back(std::make_unique<Alarm>(loop, text, static_cast<char>('a' + alarms.size())));
    return *alarms[index];
  }

  Loop loop;
  std::string text;
  std::vector<std::unique_ptr<Alarm>> alarms;
};

/// Wakes a sleeping loop once, through a readable socket.
class Interrupt {
 public:
  Interrupt(Loop& loop, std::function<void()> what) : what_(std::move(what)) {
    std::array<int, 2> ends{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
    ours_ = std::make_unique<Socket>(ends[0]);
    theirs_ = std::make_unique<Socket>(ends[1]);
    theirs_->send("x");
    watcher_ = std::make_unique<FdWatcher>(loop, ends[0], bind<&Interrupt::on_ready>(this));
    watcher_->watch({.readable = true});
  }

 private:
  void on_ready(FdEvents) {
    watcher_->watch({});
    what_();
  }

  std::function<void()> what_;
  std::unique_ptr<Socket> ours_;
  std::unique_ptr<Socket> theirs_;
  std::unique_ptr<FdWatcher> watcher_;
};

}  // namespace

TEST_CASE("a loop sleeps until its earliest timer is due", "[timer]") {
  RealScene scene;
  const auto begin = scene.loop.now();
  scene.alarm(0).timer.start(hours(1));
  scene.alarm(1).timer.start(Duration(3));
  scene.loop.run_once();
  CHECK(scene.text == "b");
  CHECK(scene.loop.now() - begin >= Duration(3));
}

TEST_CASE("a timer that was stopped or put off does not wake the loop", "[timer]") {
  const bool is_stopped = GENERATE(true, false);
  RealScene scene;
  std::unique_ptr<Interrupt> interrupt;
  Timer& early = scene.alarm(0).timer;
  early.start(Duration(2));
  const auto end_early = [&] {
    is_stopped ? early.stop() : early.start(hours(1));
    scene.alarm(1).timer.start(Duration(3));
  };
  SECTION("before the loop has slept") {
    end_early();
  }
  SECTION("when it has begun to sleep for it") {
    interrupt = std::make_unique<Interrupt>(scene.loop, end_early);
    scene.loop.run_once();
  }
  scene.loop.run_once();  // one turn, the sleep included
  CHECK(scene.text == "b");
}

TEST_CASE("a loop does not sleep while a timer is due, also if it was started in that millisecond",
          "[timer]") {
  RealScene scene;
  Timer& timer = scene.alarm(0).timer;
  scene.alarm(0).then = [&timer] { timer.start(Duration(0)); };
  timer.start(Duration(0));
  scene.alarm(1).timer.start(std::chrono::seconds(1));
  while (scene.text.size() < 10)
    scene.loop.run_once();
  CHECK(scene.text == "aaaaaaaaaa");
}

TEST_CASE("a loop runs until the last timer that is referenced has fired", "[timer]") {
  RealScene scene;
  Timer& forever = scene.alarm(0).timer;
  forever.unref();
  forever.start_repeating(hours(1));
  Timer& stopped = scene.alarm(1).timer;
  stopped.start(hours(1));
  scene.alarm(2).timer.start(Duration(2));
  scene.alarm(2).then = [&] { stopped.stop(); };
  scene.loop.run();
  CHECK(scene.text == "c");
  stopped.start(hours(1));
  stopped.unref();  // while it runs
  scene.loop.run();
  forever.start_repeating(hours(1));
  scene.loop.run();
  CHECK(scene.text == "c");
}

}  // namespace sluice::event
