// Timers whose time has come while the process was stopped, and the input that came meanwhile.
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "event/fd_watcher.h"
#include "event/listener.h"
#include "event/timer.h"
#include "event/timer_queue.h"
#include "socket_pair.h"
#include "support.h"

namespace sluice::event {
namespace {

constexpr Duration kDelay{100};
constexpr Duration kStall{5000};

/// A deadline, and a socket in which what it waits for may lie.
class Scene {
 public:
  explicit Scene(Lateness lateness = Lateness::AfterInput)
      : timer(loop, bind<&Scene::on_timer>(this), lateness) {
    watcher_.watch({.readable = true});
    timer.start(kDelay);
    loop.run_turns(4);
  }
  ~Scene() { watcher_.release(); }
  Scene(const Scene&) = delete;
  Scene& operator=(const Scene&) = delete;

  /// The process is stopped: time passes between two turns.
  void stall(Duration time = kStall) { loop.clock.move_to(loop.clock.now() + time); }
  void turn() { loop.run_turns(1); }
  int turns_until_fired() {
    int turns = 0;
    for (; text.find('t') == std::string::npos && turns < 100; ++turns)
      turn();
    return turns;
  }

  TestLoop loop;
  SocketPair sockets;
  std::string text;              ///< "r" for each byte that was read, "t" for the timer
  std::size_t most_bytes = 100;  ///< of one read
  std::function<void()> then;    ///< after a read
  Timer timer;

 private:
  void on_timer() noexcept { text += 't'; }
  void on_ready(FdEvents) {
    std::string bytes(most_bytes, '\0');
    const ssize_t count = ::recv(sockets.ours(), bytes.data(), bytes.size(), 0);
    if (count <= 0) return;
    text.append(static_cast<std::size_t>(count), 'r');
    if (static_cast<std::size_t>(count) == bytes.size()) loop->note_unread();
    if (then) then();
  }

  FdWatcher watcher_{loop, sockets.ours(), bind<&Scene::on_ready>(this)};
};

}  // namespace

TEST_CASE("what came while the process was stopped is read before a deadline is judged",
          "[stall]") {
  Scene scene;
  scene.sockets.send("x");
  scene.then = [&] { scene.timer.stop(); };
  scene.stall();
  scene.loop.run_turns(10);
  CHECK(scene.text == "r");
}

TEST_CASE("the poll that a signal has cut short does not count", "[stall]") {
  Scene scene;
  scene.stall();
  scene.turn();  // as after a SIGCONT: without an event, although something lies there
  CHECK(scene.text.empty());
  scene.sockets.send("x");
  scene.turn();
  CHECK(scene.text == "rt");
}

TEST_CASE("without any input a late deadline is judged one poll later", "[stall]") {
  Scene scene;
  scene.stall();
  CHECK(scene.turns_until_fired() == 2);
}

TEST_CASE("a deadline that is on time waits for no other poll than its own", "[stall]") {
  Scene scene;
  const Duration late = GENERATE(Duration(0), TimerQueue::kOnTime - Duration(1));
  scene.sockets.send("x");
  scene.stall(kDelay + late);
  scene.turn();
  CHECK(scene.text == "rt");
}

TEST_CASE("a late deadline waits until sockets that filled a read are read to their end",
          "[stall]") {
  Scene scene;
  scene.most_bytes = 1;
  scene.sockets.send("12345");
  scene.stall();
  CHECK(scene.turns_until_fired() == 6);  // the last read finds out that nothing is left
  CHECK(scene.text == "rrrrrt");
}

TEST_CASE("a deadline that comes while late ones wait for input waits with them", "[stall]") {
  Scene scene;
  scene.most_bytes = 1;
  Count fired;
  Timer on_time(scene.loop, bind<&Count::up>(&fired));
  on_time.start(kStall);
  scene.sockets.send("12345");
  scene.stall();
  scene.loop.run_turns(5);
  CHECK(scene.text == "rrrrr");
  CHECK(fired.times == 0);
  scene.turn();
  CHECK(scene.text == "rrrrrt");
  CHECK(fired.times == 1);
}

TEST_CASE("endless input holds up a late deadline for kMostPolls and no longer", "[stall]") {
  Scene scene;
  scene.most_bytes = 1;
  scene.sockets.send(std::string(1000, 'x'));
  scene.stall();
  CHECK(scene.turns_until_fired() == TimerQueue::kMostPolls + 1);
}

TEST_CASE("endless input holds up a late deadline no longer than the stall did", "[stall]") {
  Scene scene;
  scene.most_bytes = 1;
  scene.sockets.send(std::string(1000, 'x'));
  scene.stall(kDelay + Duration(50));
  scene.turn();
  scene.stall(Duration(49));
  scene.turn();
  CHECK(scene.text == "rr");
  scene.stall(Duration(1));
  scene.turn();
  CHECK(scene.text == "rrrt");
}

TEST_CASE("a late deadline that was stopped leaves the next one on time", "[stall]") {
  Scene scene;
  scene.most_bytes = 1;
  scene.sockets.send("12");
  scene.then = [&] { scene.timer.stop(); };
  scene.stall();
  scene.loop.run_turns(4);
  scene.then = [] {};
  scene.sockets.send("3");
  scene.timer.start(kDelay);
  scene.stall(kDelay);
  scene.turn();
  CHECK(scene.text == "rrrt");
}

TEST_CASE("what is to happen at once waits for no input, and comes before deferred work",
          "[stall]") {
  Scene scene(Lateness::AtOnce);
  struct Work {
    std::string& text;
    void run() noexcept { text += 'd'; }
  } work{scene.text};
  Deferred deferred(scene.loop, bind<&Work::run>(&work));
  deferred.schedule();
  scene.sockets.send("x");
  scene.stall();
  scene.turn();
  CHECK(scene.text == "tdr");
}

TEST_CASE("a client's large request is read to its end before its deadline is judged", "[stall]") {
  TestLoop loop;
  std::unique_ptr<Stream> stream;
  Recorder recorder;
  std::size_t received_by_then = 0;
  struct Scene {
    std::unique_ptr<Stream>& stream;
    Recorder& recorder;
    std::size_t& received_by_then;
    void on_accepted(std::unique_ptr<Stream> accepted) noexcept { stream = std::move(accepted); }
    void on_deadline() noexcept { received_by_then = recorder.received.size(); }
  } scene{stream, recorder, received_by_then};
  auto listener = Listener::tcp(loop, {"127.0.0.1", 0, "tcp://127.0.0.1"}, {},
                                bind<&Scene::on_accepted>(&scene));
  REQUIRE(listener);
  Socket peer = Socket::tcp(listener.value()->port());
  loop.run_until([&] { return stream != nullptr; });
  stream->set_handler(&recorder);
  stream->set_read_size(1000);  // libuv reads 32 times in one poll
  stream->start_reading();
  Timer deadline(loop, bind<&Scene::on_deadline>(&scene));
  deadline.start(kDelay);
  peer.send(std::string(100000, 'x'));
  loop.clock.move_to(loop.clock.now() + kStall);
  loop.run_until([&] { return received_by_then > 0; });
  CHECK(received_by_then == 100000);
  stream.reset();
}

}  // namespace sluice::event
