// Memory that the ledger allocates for each request while thousands wait.
#include <chrono>
#include <cstddef>
#include <utility>

#include "allocations.h"
#include "ledger_lab.h"

using namespace sluice;
using namespace sluice::ledger;

namespace {

constexpr std::size_t kMany = 4096;
constexpr TimePoint kNever{std::chrono::hours(1000)};

config::Broker roomy() {
  config::Broker broker = broker_named("a");
  broker.queue_messages = kMany;
  return broker;
}

struct Cost {
  std::size_t requests = 0;  ///< that allocated memory
  std::size_t steps = 0;     ///< that allocated a block whose size grows with their number
};

/// Queues many requests at a broker that is down, from a client that is gone.
Cost queue_many(LedgerLab& lab) {
  constexpr std::size_t kLarge = 4096;
  Cost taken;
  for (std::size_t i = 0; i < kMany; ++i) {
    auto request = protocol::Request::make("t", "open");
    request.device_id = 7;
    take_allocations();
    lab.ledger->submit({.source = lab.server.get()}, request, {.deadline = kNever});
    const Allocations now = take_allocations();
    if (now.count > 0) ++taken.requests;
    if (now.largest > kLarge) ++taken.steps;
  }
  return taken;
}

}  // namespace

TEST_CASE("a queued request costs the same however many are queued", "[ledger]") {
  LedgerLab lab({roomy()});
  const Cost at_first = queue_many(lab);
  REQUIRE(lab.pools.front()->queued() == kMany);
  CHECK(at_first.requests == kMany);
  CHECK(at_first.steps < 10);  // tables that double
  lab.ledger->give_up_all();
  CHECK(queue_many(lab).requests == 0);
  REQUIRE(lab.pools.front()->queued() == kMany);
}
