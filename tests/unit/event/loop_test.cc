// The loop's turn: deferred work, objects destroyed between two turns, and closing the loop.
#include <sys/socket.h>
#include <unistd.h>

#include <vector>

#include "event/fd_watcher.h"
#include "support.h"

namespace sluice::event {
namespace {

/// Appends its letter to a text whenever it runs, and reschedules itself as often as ordered.
class Job {
 public:
  Job(Loop& loop, std::string& text, char letter, int again = 0)
      : text_(text), letter_(letter), again_(again), deferred_(loop, bind<&Job::run>(this)) {}
  Deferred& deferred() { return deferred_; }

  std::unique_ptr<Job> other;  // destroyed when this runs

 private:
  void run() {
    text_ += letter_;
    other.reset();
    if (again_-- > 0) deferred_.schedule();
  }

  std::string& text_;
  char letter_;
  int again_;
  Deferred deferred_;
};

struct Idler {
  void on_fired() noexcept {}
};

/// A retired object that may retire another one in its destructor.
class RetiredObject {
 public:
  RetiredObject(Loop& loop, std::string& text, char letter)
      : loop_(loop), text_(text), letter_(letter) {}
  ~RetiredObject() {
    text_ += letter_;
    loop_.retire(std::move(next));
  }
  RetiredObject(const RetiredObject&) = delete;
  RetiredObject& operator=(const RetiredObject&) = delete;

  std::unique_ptr<RetiredObject> next;

 private:
  Loop& loop_;
  std::string& text_;
  char letter_;
};

}  // namespace

TEST_CASE("deferred work runs once however often it was asked for", "[loop]") {
  TestLoop loop;
  std::string text;
  Job job(loop, text, 'a');
  job.deferred().schedule();
  job.deferred().schedule();
  CHECK(text.empty());
  loop.run_turns(3);
  CHECK(text == "a");
  job.deferred().schedule();
  loop.run_turns(3);
  CHECK(text == "aa");
}

TEST_CASE("deferred work runs in the order in which it was asked for", "[loop]") {
  TestLoop loop;
  std::string text;
  Job a(loop, text, 'a');
  Job b(loop, text, 'b');
  Job c(loop, text, 'c');
  b.deferred().schedule();
  c.deferred().schedule();
  a.deferred().schedule();
  c.deferred().cancel();
  loop.run_turns(3);
  CHECK(text == "ba");
}

TEST_CASE("work that asks again while it runs goes on without an event", "[loop]") {
  Loop loop;  // without a ticking timer: if it went to sleep it would sleep for an hour
  std::string text;
  Job job(loop, text, 'a', 5);
  {
    Idler idler;
    Timer late(loop, bind<&Idler::on_fired>(&idler));
    late.start(Duration(3600000));
    job.deferred().schedule();
    while (text.size() < 6)
      loop.run_once();
  }
  CHECK(text == "aaaaaa");
  CHECK(loop.close() == 0);
}

TEST_CASE("work that asks again lets others run in between", "[loop]") {
  TestLoop loop;
  std::string text;
  Job a(loop, text, 'a', 2);
  Job b(loop, text, 'b', 2);
  a.deferred().schedule();
  b.deferred().schedule();
  loop.run_until([&] { return text.size() == 6; });
  CHECK(text == "ababab");
}

TEST_CASE("deferred work that dies before its turn does not run", "[loop]") {
  TestLoop loop;
  std::string text;
  {
    Job gone(loop, text, 'x');
    gone.deferred().schedule();
  }
  Job destroyer(loop, text, 'k');
  destroyer.other = std::make_unique<Job>(loop, text, 'v');
  destroyer.deferred().schedule();
  destroyer.other->deferred().schedule();  // behind its destroyer, in the same batch
  loop.run_turns(3);
  CHECK(text == "k");
}

TEST_CASE("retired objects die between two turns, first in first out", "[loop]") {
  TestLoop loop;
  std::string text;
  auto first = std::make_unique<RetiredObject>(loop, text, '1');
  first->next = std::make_unique<RetiredObject>(loop, text, '3');
  loop->retire(std::move(first));
  loop->retire(std::make_unique<RetiredObject>(loop, text, '2'));
  loop->retire(std::unique_ptr<RetiredObject>());
  CHECK(text.empty());
  loop.run_turns(2);
  CHECK(text == "123");
}

TEST_CASE("closing a loop buries what was retired", "[loop]") {
  std::string text;
  Loop loop;
  auto last = std::make_unique<RetiredObject>(loop, text, '1');
  last->next = std::make_unique<RetiredObject>(loop, text, '2');
  loop.retire(std::move(last));
  CHECK(loop.close() == 0);
  CHECK(text == "12");
}

TEST_CASE("closing a loop whose timer somebody still owns fails and does not hang", "[loop]") {
  Loop loop;
  Idler nobody;
  auto timer = std::make_unique<Timer>(loop, bind<&Idler::on_fired>(&nobody));
  timer->start_repeating(Duration(1));
  CHECK(loop.close() != 0);
  timer.reset();
  CHECK(loop.close() == 0);
}

TEST_CASE("stop() ends run()", "[loop]") {
  Loop loop;
  {
    Idler idler;
    Timer late(loop, bind<&Idler::on_fired>(&idler));
    late.start(Duration(3600000));
    struct Stopper {
      Loop& loop;
      void run() noexcept { loop.stop(); }
    } stopper{loop};
    Deferred deferred(loop, bind<&Stopper::run>(&stopper));
    deferred.schedule();
    loop.run();
  }
  CHECK(loop.close() == 0);
}

TEST_CASE("a turn in which much is read is a busy one, the next one is not", "[loop]") {
  TestLoop loop;
  std::vector<std::unique_ptr<FdWatcher>> watchers;
  std::vector<int> fds;
  bool was_busy = false;
  struct Reader {
    TestLoop* loop;
    bool* was_busy;
    void on_ready(FdEvents) noexcept { *was_busy = *was_busy || (*loop)->is_busy(); }
  } reader{&loop, &was_busy};
  for (unsigned i = 0; i < Loop::kBusyTurn; ++i) {
    int pair[2] = {-1, -1};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    fds.insert(fds.end(), {pair[0], pair[1]});
    watchers.push_back(
        std::make_unique<FdWatcher>(loop, pair[0], bind<&Reader::on_ready>(&reader)));
    watchers.back()->watch({.readable = true, .writable = false});
  }
  for (unsigned i = 1; i < Loop::kBusyTurn; ++i)
    REQUIRE(::write(fds[2 * i + 1], "x", 1) == 1);
  loop.run_turns(1);
  CHECK_FALSE(was_busy);
  REQUIRE(::write(fds[1], "x", 1) == 1);
  loop.run_turns(1);
  CHECK(was_busy);
  for (auto& watcher : watchers)
    watcher->watch({});
  loop.run_turns(2);
  CHECK_FALSE(loop->is_busy());
  watchers.clear();
  for (const int fd : fds)
    ::close(fd);
}

TEST_CASE("the precise clock goes on within a turn and never back", "[loop]") {
  Loop loop;
  const auto before = loop.precise_now();
  const TimePoint turn = loop.now();
  CHECK(loop.precise_now() >= before);
  CHECK(loop.now() == turn);
}

TEST_CASE("a clock of the loop's own counts as the system's does", "[loop]") {
  using namespace std::chrono_literals;
  TestLoop loop;
  const TimePoint turn = loop->now();
  CHECK(loop->precise_now() == turn.time_since_epoch());
  loop.clock.move_to(loop.clock.now() + 2500us);
  CHECK(loop->precise_now() == turn.time_since_epoch() + 2500us);
  CHECK(loop->now() == turn);
  loop.run_turns(1);
  CHECK(loop->now() == turn + 2ms);
}

TEST_CASE("a loop with a clock of its own does not wait", "[loop]") {
  TestLoop loop;
  Idler idler;
  Timer late(loop, bind<&Idler::on_fired>(&idler));
  late.start(Duration(3600000));
  CHECK(loop->next_deadline() == loop->now() + Duration(3600000));
  std::string text;
  Job job(loop, text, 'a');
  job.deferred().schedule();
  loop->run_once();
  CHECK(text == "a");
  loop->run_once();
  late.stop();
  CHECK(loop->next_deadline() == TimePoint::max());
}

}  // namespace sluice::event
