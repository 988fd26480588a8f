// A connection is over when both sides have closed it.
#include "mqtt/transport/parting.h"

#include <unistd.h>

#include <string>

#include "catch.h"
#include "socket_pair.h"
#include "test_loop.h"

using namespace sluice;
using namespace sluice::mqtt;

namespace {

void write_last(SocketPair& pair, const std::string& text) {
  CHECK(::write(pair.ours(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  pair.close_ours();
}

}  // namespace

TEST_CASE("a connection that was parted from is over when the peer has read all and closed",
          "[parting]") {
  event::TestLoop loop;
  event::Count over;
  {
    Parting parting(loop, bind<&event::Count::up>(&over));
    CHECK_FALSE(parting.begin());  // nothing is held
    SocketPair pair;
    parting.hold(pair.ours());
    write_last(pair, "goodbye");
    CHECK(parting.begin());
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
}

TEST_CASE("a parting that is dropped closes the connection and tells nobody", "[parting]") {
  event::TestLoop loop;
  event::Count over;
  {
    Parting parting(loop, bind<&event::Count::up>(&over));
    SocketPair pair;
    parting.hold(pair.ours());
    write_last(pair, "goodbye");
    REQUIRE(parting.begin());
    parting.drop();
    CHECK(pair.receive_to_end() == "goodbye");
    pair.close_theirs();
    loop.run_turns(4);
  }
  CHECK(over.times == 0);
}
