// Client identifiers belong to one owner at a time.
#include "mqtt/pool/client_id_registry.h"

#include "catch.h"
#include "test_loop.h"

using namespace sluice;
using namespace sluice::mqtt;

TEST_CASE("an identifier that another owner has is waited for", "[client-id-registry]") {
  event::TestLoop loop;
  event::Count freed;
  ClientIdRegistry registry(loop, bind<&event::Count::up>(&freed));
  const int a = 0;
  const int b = 0;
  CHECK(registry.acquire(&a, "x"));
  CHECK(registry.acquire(&a, "x"));
  CHECK_FALSE(registry.acquire(&b, "x"));
  CHECK(registry.acquire(&a, "y"));  // and releases x
  loop.run_turns(2);
  CHECK(freed.times == 1);
  CHECK(registry.acquire(&b, "x"));
  CHECK(registry.name_of(&b) == "x");
  registry.release(&b);
  registry.release(&b);
  loop.run_turns(2);
  CHECK(freed.times == 1);  // no acquire() had failed
  CHECK(registry.name_of(&b).empty());
}
