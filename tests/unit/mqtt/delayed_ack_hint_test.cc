// A broker that waits for TCP's acknowledgement gets it without a delay.
#include "mqtt/transport/delayed_ack_hint.h"

#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>

#include "catch.h"
#include "test_broker.h"
#include "test_loop.h"

using namespace sluice;
using namespace sluice::mqtt;
using Urgency = DelayedAckHint::Urgency;

namespace {

/// Our side delays its acknowledgements.
class Connection : public Connected {
 public:
  /// The broker writes, we read.
  void bring_a_puback() const {
    const int off = 0;
    REQUIRE(::setsockopt(fd(), IPPROTO_TCP, TCP_QUICKACK, &off, sizeof(off)) == 0);
    std::string puback;
    wire::append_ack(puback, wire::Type::Puback, true, 1);
    broker.send(puback);
    std::array<char, 4> packet{};
    REQUIRE(::recv(fd(), packet.data(), packet.size(), MSG_WAITALL) == 4);
  }
  /// Well before the 40 ms after which our kernel acknowledges by itself.
  bool is_acknowledged_soon() const {
    for (int i = 0; i < 20 && broker.unacknowledged() > 0; ++i)
      ::usleep(1000);
    return broker.unacknowledged() == 0;
  }
};

}  // namespace

TEST_CASE("what a message waits for is acknowledged after each turn", "[delayed-ack-hint]") {
  event::TestLoop loop;
  const Connection connection;
  DelayedAckHint hint(loop);
  for (int i = 0; i < 3; ++i) {
    connection.bring_a_puback();
    hint.on_read(connection.fd(), Urgency::Now);
    CHECK(hint.is_pending());
    loop.run_turns(1);
    CHECK_FALSE(hint.is_pending());
    CHECK(connection.is_acknowledged_soon());
  }
}

TEST_CASE("what is waited for does not wait with what can", "[delayed-ack-hint]") {
  event::TestLoop loop;
  const Connection connection;
  DelayedAckHint hint(loop);
  hint.on_read(connection.fd(), Urgency::Now);
  loop.run_turns(1);
  connection.bring_a_puback();
  hint.on_read(connection.fd(), Urgency::Later);
  hint.on_read(connection.fd(), Urgency::Now);
  loop.run_turns(1);
  CHECK_FALSE(hint.is_pending());
  CHECK(connection.is_acknowledged_soon());
}

TEST_CASE("after a while what can wait is acknowledged after the turn, then a little later",
          "[delayed-ack-hint]") {
  event::TestLoop loop;
  const Connection connection;
  DelayedAckHint hint(loop);
  connection.bring_a_puback();
  hint.on_read(connection.fd(), Urgency::Later);
  CHECK(hint.is_pending());
  loop.run_turns(1);
  CHECK_FALSE(hint.is_pending());
  CHECK(connection.is_acknowledged_soon());
  connection.bring_a_puback();
  hint.on_read(connection.fd(), Urgency::Later);
  loop.advance(Duration(2));
  CHECK(hint.is_pending());
  loop.advance(Duration(1));
  CHECK_FALSE(hint.is_pending());
  CHECK(connection.is_acknowledged_soon());
  loop.advance(Duration(3));
  connection.bring_a_puback();
  hint.on_read(connection.fd(), Urgency::Later);
  loop.run_turns(1);
  CHECK_FALSE(hint.is_pending());
}

namespace {

/// Whether `end` cancels a pending hint: then the kernel delays the acknowledgement by 40 ms,
/// within which a busy machine may not get to the check.
template <class End>
bool stays_unset(const End& end) {
  for (int attempt = 0; attempt < 50; ++attempt) {
    event::TestLoop loop;
    const Connection connection;
    DelayedAckHint hint(loop);
    hint.on_read(connection.fd(), Urgency::Later);
    connection.bring_a_puback();
    hint.on_read(connection.fd(), Urgency::Later);
    REQUIRE(hint.is_pending());
    end(hint, connection.fd());
    loop.advance(Duration(3));
    if (connection.broker.unacknowledged() == 1) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("an acknowledgement that travelled with a message is not asked for again",
          "[delayed-ack-hint]") {
  CHECK(stays_unset([](DelayedAckHint& hint, int) { hint.on_sent(); }));
}

TEST_CASE("a broker that has nothing more to send is not acknowledged early",
          "[delayed-ack-hint]") {
  CHECK(stays_unset([](DelayedAckHint& hint, int fd) { hint.on_read(fd, Urgency::None); }));
}

TEST_CASE("of a socket that is to be closed nothing is asked", "[delayed-ack-hint]") {
  CHECK(stays_unset([](DelayedAckHint& hint, int) { hint.forget(); }));
}
