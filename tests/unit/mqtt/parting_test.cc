// A connection is over when both sides have closed it.
#include "mqtt/parting.h"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <memory>
#include <string>

#include "catch.h"
#include "test_loop.h"

using namespace sluice;
using namespace sluice::mqtt;

namespace {

struct Count {
  void up() noexcept { ++times; }
  int times = 0;
};

/// Two ends of a connection: what the library has, and the broker's.
class Pair {
 public:
  Pair() { REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends_.data()) == 0); }
  ~Pair() { close_broker(); }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;

  int ours() const { return ends_[0]; }
  void write_last(const std::string& text) {
    CHECK(::write(ends_[0], text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    ::close(ends_[0]);
  }
  /// All up to the end of the connection.
  std::string read_all() {
    std::string all;
    std::array<char, 64> buffer{};
    while (const ssize_t length = ::read(ends_[1], buffer.data(), buffer.size())) {
      REQUIRE(length > 0);
      all.append(buffer.data(), static_cast<std::size_t>(length));
    }
    return all;
  }
  void say(char byte) { CHECK(::write(ends_[1], &byte, 1) == 1); }
  void close_broker() {
    if (ends_[1] >= 0) ::close(ends_[1]);
    ends_[1] = -1;
  }

 private:
  std::array<int, 2> ends_{};
};

}  // namespace

TEST_CASE("a connection that was parted from is over when the peer has read all and closed",
          "[parting]") {
  event::TestLoop loop;
  Count over;
  {
    Parting parting(loop, bind<&Count::up>(&over));
    CHECK_FALSE(parting.begin());  // nothing is held
    Pair pair;
    parting.hold(pair.ours());
    pair.write_last("goodbye");
    CHECK(parting.begin());
    CHECK(parting.is_under_way());
    pair.say('x');  // an answer that nobody waits for any more
    loop.run_turns(4);
    CHECK(over.times == 0);
    CHECK(pair.read_all() == "goodbye");
    loop.run_turns(4);
    CHECK(over.times == 0);
    pair.close_broker();
    loop.run_until([&] { return over.times == 1; });
    CHECK_FALSE(parting.is_under_way());
  }
}

TEST_CASE("a parting that is dropped closes the connection and tells nobody", "[parting]") {
  event::TestLoop loop;
  Count over;
  {
    Parting parting(loop, bind<&Count::up>(&over));
    Pair pair;
    parting.hold(pair.ours());
    pair.write_last("goodbye");
    REQUIRE(parting.begin());
    parting.drop();
    CHECK(pair.read_all() == "goodbye");
    pair.close_broker();
    loop.run_turns(4);
  }
  CHECK(over.times == 0);
}
