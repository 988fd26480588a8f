// When a socket counts as readable while acknowledgements are batched.
#include "mqtt/transport/ack_batching.h"

#include <poll.h>

#include <array>
#include <string>
#include <vector>

#include "catch.h"
#include "test_broker.h"
#include "test_loop.h"

using namespace sluice;
using namespace sluice::mqtt;

namespace {

class Scene {
 public:
  ~Scene() { batching.forget(); }

  void bring(std::size_t bytes) const { connected.broker.send(std::string(bytes, 'x')); }
  /// As epoll would report it.
  bool is_readable() const {
    pollfd look{.fd = connected.fd(), .events = POLLIN, .revents = 0};
    return ::poll(&look, 1, 0) == 1;
  }
  int mark() const { return low_water_mark(connected.fd()); }
  bool read() noexcept {
    std::array<char, 100> piece{};
    const bool has_read = ::recv(connected.fd(), piece.data(), piece.size(), MSG_DONTWAIT) > 0;
    if (!has_read) return false;
    ++reads;
    batching.on_read();
    marks.push_back(mark());
    if (brings_more) bring(4);
    return true;
  }
  bool has_timer() { return loop->next_deadline() != TimePoint::max(); }

  event::TestLoop loop;
  Connected connected;
  int reads = 0;
  std::vector<int> marks;    ///< after each read
  bool brings_more = false;  ///< after each read
  AckBatching batching{loop, bind<&Scene::read>(this)};
};

}  // namespace

TEST_CASE("a socket is readable when enough has come, and not before", "[ack-batching]") {
  Scene scene;
  scene.batching.expect(scene.connected.fd(), 16);
  scene.bring(15);
  CHECK_FALSE(scene.is_readable());
  scene.bring(1);
  CHECK(scene.is_readable());
}

TEST_CASE("less than enough is read a little later", "[ack-batching]") {
  Scene scene;
  scene.brings_more = true;
  scene.batching.expect(scene.connected.fd(), 16);
  scene.bring(4);
  CHECK(scene.loop.advance_until([&] { return scene.reads == 3; }) == Duration(3 * 3));
  CHECK(scene.marks == std::vector<int>{16, 16, 16});
}

TEST_CASE("a socket that stays silent is left alone until something comes", "[ack-batching]") {
  Scene scene;
  scene.batching.expect(scene.connected.fd(), 16);
  CHECK(scene.loop.advance_until([&] { return scene.mark() == 1; }) == Duration(3));
  CHECK_FALSE(scene.has_timer());
  CHECK(scene.reads == 0);
  scene.bring(1);
  CHECK(scene.is_readable());
  scene.read();
  CHECK(scene.mark() == 16);
}

TEST_CASE("where nothing is worth waiting for, whatever comes counts", "[ack-batching]") {
  Scene scene;
  scene.batching.expect(scene.connected.fd(), 16);
  scene.bring(1);
  scene.batching.expect(scene.connected.fd(), 1);
  CHECK(scene.is_readable());
  scene.read();
  CHECK(scene.mark() == 1);
  CHECK_FALSE(scene.has_timer());
  CHECK(scene.reads == 1);
}

TEST_CASE("a socket that is to be closed is not read any more", "[ack-batching]") {
  Scene scene;
  scene.batching.expect(scene.connected.fd(), 16);
  scene.bring(4);
  scene.batching.forget();
  CHECK_FALSE(scene.has_timer());
  CHECK(scene.reads == 0);
}
