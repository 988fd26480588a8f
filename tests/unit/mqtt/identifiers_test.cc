// Who has a client identifier, and who waits for it.
#include "mqtt/pool/identifiers.h"

#include "catch.h"
#include "test_loop.h"

using namespace sluice;
using namespace sluice::mqtt;

TEST_CASE("an identifier that somebody holds is waited for", "[identifiers]") {
  event::TestLoop loop;
  event::Count freed;
  Identifiers identifiers(loop, bind<&event::Count::up>(&freed));
  const int a = 0;
  const int b = 0;
  CHECK(identifiers.claim(&a, "x"));
  CHECK(identifiers.claim(&a, "x"));
  CHECK_FALSE(identifiers.claim(&b, "x"));
  CHECK(identifiers.claim(&a, "y"));  // and gives x back
  loop.run_turns(2);
  CHECK(freed.times == 1);
  CHECK(identifiers.claim(&b, "x"));
  CHECK(identifiers.held_by(&b) == "x");
  identifiers.release(&b);
  identifiers.release(&b);
  loop.run_turns(2);
  CHECK(freed.times == 1);  // nobody had asked in vain
  CHECK(identifiers.held_by(&b).empty());
}
