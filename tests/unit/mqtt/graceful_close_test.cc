// A connection is over when both sides have closed it.
#include "mqtt/transport/graceful_close.h"

#include <unistd.h>

#include <string>

#include "catch.h"
#include "socket_pair.h"
#include "test_broker.h"
#include "test_loop.h"

using namespace sluice;
using namespace sluice::mqtt;

namespace {

void write_last(const SocketPair& pair, const std::string& text) {
  CHECK(::write(pair.ours(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
}

}  // namespace

TEST_CASE("a connection is closed when the peer has read all and closed", "[graceful-close]") {
  event::TestLoop loop;
  event::Count over;
  SocketPair pair;
  GracefulClose closing(loop, bind<&event::Count::up>(&over));
  write_last(pair, "the last bytes");
  closing.begin(pair.ours());
  pair.send("x");  // a late answer
  loop.run_turns(4);
  CHECK(over.times == 0);
  CHECK(pair.receive_to_end() == "the last bytes");
  loop.run_turns(4);
  CHECK(over.times == 0);
  pair.close_theirs();
  loop.run_until([&] { return over.times == 1; });
}

TEST_CASE("a graceful close that is dropped is not reported", "[graceful-close]") {
  event::TestLoop loop;
  event::Count over;
  SocketPair pair;
  GracefulClose closing(loop, bind<&event::Count::up>(&over));
  write_last(pair, "the last bytes");
  closing.begin(pair.ours());
  closing.drop();
  CHECK(pair.receive_to_end() == "the last bytes");
  pair.close_theirs();
  loop.run_turns(4);
  CHECK(over.times == 0);
}

TEST_CASE("a peer may reset the connection behind its last bytes", "[graceful-close]") {
  event::TestLoop loop;
  event::Count over;
  Connected connection;
  GracefulClose closing(loop, bind<&event::Count::up>(&over));
  // A broker that closes with unread bytes, such as TLS's close_notify, resets the connection.
  REQUIRE(::write(connection.fd(), "unread", 6) == 6);
  closing.begin(connection.fd());
  connection.broker.send("last");
  connection.broker.close();
  loop.run_until([&] { return over.times == 1; });
}
