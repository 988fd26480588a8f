// Who has a client identifier, and who waits for it.
#include "mqtt/identifiers.h"

#include "catch.h"
#include "event/loop.h"
#include "event/timer.h"

using namespace sluice;
using namespace sluice::mqtt;

namespace {

struct Count {
  void up() noexcept { ++times; }
  int times = 0;
};

void turn(event::Loop& loop) {
  Count ticks;
  event::Timer timer(loop, bind<&Count::up>(&ticks));
  timer.start(Duration(1));
  while (ticks.times == 0)
    loop.run_once();
}

}  // namespace

TEST_CASE("an identifier that somebody holds is waited for", "[identifiers]") {
  event::Loop loop;
  Count freed;
  Identifiers identifiers(loop, bind<&Count::up>(&freed));
  const int a = 0;
  const int b = 0;
  CHECK(identifiers.claim(&a, "x"));
  CHECK(identifiers.claim(&a, "x"));
  CHECK_FALSE(identifiers.claim(&b, "x"));
  CHECK(identifiers.claim(&a, "y"));  // and gives x back
  turn(loop);
  CHECK(freed.times == 1);
  CHECK(identifiers.claim(&b, "x"));
  CHECK(identifiers.held_by(&b) == "x");
  identifiers.release(&b);
  identifiers.release(&b);
  turn(loop);
  CHECK(freed.times == 1);  // nobody had asked in vain
  CHECK(identifiers.held_by(&b).empty());
}
