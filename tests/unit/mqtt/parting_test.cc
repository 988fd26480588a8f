// A connection is over when both sides have closed it.
#include "mqtt/transport/parting.h"

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

TEST_CASE("a connection that was parted from is over when the peer has read all and closed",
          "[parting]") {
  event::TestLoop loop;
  event::Count over;
  SocketPair pair;
  Parting parting(loop, bind<&event::Count::up>(&over));
  write_last(pair, "goodbye");
  parting.begin(pair.ours());
  CHECK(parting.is_under_way());
  pair.send("x");  // an answer that nobody waits for any more
  loop.run_turns(4);
  CHECK(over.times == 0);
  CHECK(pair.receive_to_end() == "goodbye");
  loop.run_turns(4);
  CHECK(over.times == 0);
  pair.close_theirs();
  loop.run_until([&] { return over.times == 1; });
  CHECK_FALSE(parting.is_under_way());
}

TEST_CASE("a parting that is dropped tells nobody", "[parting]") {
  event::TestLoop loop;
  event::Count over;
  SocketPair pair;
  Parting parting(loop, bind<&event::Count::up>(&over));
  write_last(pair, "goodbye");
  parting.begin(pair.ours());
  parting.drop();
  CHECK(pair.receive_to_end() == "goodbye");
  pair.close_theirs();
  loop.run_turns(4);
  CHECK(over.times == 0);
}

TEST_CASE("a peer may reset the connection behind its last bytes", "[parting]") {
  event::TestLoop loop;
  event::Count over;
  Connected connection;
  Parting parting(loop, bind<&event::Count::up>(&over));
  // What a broker leaves unread when it closes, such as the end of TLS, makes a reset of it.
  REQUIRE(::write(connection.fd(), "unread", 6) == 6);
  parting.begin(connection.fd());
  connection.broker.send("last");
  connection.broker.close();
  loop.run_until([&] { return over.times == 1; });
}
