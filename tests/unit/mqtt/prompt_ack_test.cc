// A broker that waits for TCP's acknowledgement gets it soon.
#include "mqtt/prompt_ack.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

#include "catch.h"

using namespace sluice;
using namespace sluice::mqtt;

namespace {

/// A TCP connection over loopback; our side puts its acknowledgements off.
class Connection {
 public:
  Connection() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* raw = reinterpret_cast<sockaddr*>(&address);
    socklen_t size = sizeof(address);
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(::bind(listener, raw, size) == 0);
    REQUIRE(::listen(listener, 1) == 0);
    REQUIRE(::getsockname(listener, raw, &size) == 0);
    ours_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(::connect(ours_, raw, size) == 0);
    broker_ = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    REQUIRE(broker_ >= 0);
    ::close(listener);
  }
  ~Connection() {
    ::close(ours_);
    ::close(broker_);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  int ours() const { return ours_; }
  /// The broker writes, we read.
  void bring_a_puback() const {
    const int off = 0;
    REQUIRE(::setsockopt(ours_, IPPROTO_TCP, TCP_QUICKACK, &off, sizeof(off)) == 0);
    REQUIRE(::write(broker_, "\x40\x02\x00\x01", 4) == 4);
    std::array<char, 4> packet{};
    REQUIRE(::recv(ours_, packet.data(), packet.size(), MSG_WAITALL) == 4);
  }
  /// Segments of the broker that our kernel has not acknowledged.
  unsigned unacknowledged() const {
    tcp_info info{};
    socklen_t size = sizeof(info);
    REQUIRE(::getsockopt(broker_, IPPROTO_TCP, TCP_INFO, &info, &size) == 0);
    return info.tcpi_unacked;
  }
  /// Well before the 40 ms after which our kernel acknowledges by itself.
  bool is_acknowledged_soon() const {
    for (int i = 0; i < 20 && unacknowledged() > 0; ++i)
      ::usleep(1000);
    return unacknowledged() == 0;
  }

 private:
  int ours_ = -1;
  int broker_ = -1;
};

}  // namespace

TEST_CASE("after a while what was read is acknowledged at once, then a little later",
          "[prompt-ack]") {
  event::Loop loop;
  const Connection connection;
  PromptAck ack(loop);
  connection.bring_a_puback();
  ack.on_read(connection.ours());
  CHECK_FALSE(ack.is_owed());
  CHECK(connection.is_acknowledged_soon());
  connection.bring_a_puback();
  ack.on_read(connection.ours());
  CHECK(ack.is_owed());
  while (ack.is_owed())
    loop.run_once();
  CHECK(connection.is_acknowledged_soon());
}

namespace {

/// Whether an owed acknowledgement that `end` has made superfluous stays unasked for: then the
/// kernel puts it off by 40 ms, within which a busy machine may not get to the look.
bool stays_unasked(void (PromptAck::*end)() noexcept) {
  for (int attempt = 0; attempt < 50; ++attempt) {
    event::Loop loop;
    const Connection connection;
    PromptAck ack(loop);
    ack.on_read(connection.ours());
    connection.bring_a_puback();
    ack.on_read(connection.ours());
    REQUIRE(ack.is_owed());
    (ack.*end)();
    loop.run_once();  // the timer, that finds nothing to do
    if (connection.unacknowledged() == 1) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("an acknowledgement that travelled with a message is not asked for again",
          "[prompt-ack]") {
  CHECK(stays_unasked(&PromptAck::on_sent));
}

TEST_CASE("of a socket that is to be closed nothing is asked", "[prompt-ack]") {
  CHECK(stays_unasked(&PromptAck::forget));
}
