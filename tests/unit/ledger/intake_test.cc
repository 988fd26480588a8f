// A stage between a source and the ledger: an Intake for the one and a Source for the other, which
// holds some requests, answers some itself and passes the others on.
#include "ledger/intake.h"

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "ledger_lab.h"
#include "test_source.h"

using namespace sluice;
using namespace sluice::ledger;
using Texts = std::vector<std::string>;

namespace {

/// Answers "forbidden" itself, holds "later" until release(), and passes all else on. It keeps the
/// origin of each request, and submits it with an origin of its own.
class Gate final : public Intake, public Source {
 public:
  explicit Gate(Intake& next) : next_(next) {}

  Taken submit(const Origin& origin, protocol::Request& request,
               const Terms& terms) noexcept override {
    if (request.payload() == "forbidden") {
      origin.source->settled(
          origin,
          protocol::Reply::failure(protocol::ErrorKind::Forbidden, protocol::Published::No, "here"),
          std::move(request));
      return Taken::Settled;
    }
    if (request.payload() == "later") {
      held_.push_back({origin, std::move(request), terms});
      return Taken::Accepted;
    }
    return pass_on(origin, origin.index, request, terms);
  }
  void forget(const Origin& origin) noexcept override {
    // The next stage drops the waiting request and reports nothing.
    if (const auto waits = waiting_.find(origin.index); waits != waiting_.end()) {
      origins_.erase(waits->second);
      waiting_.erase(waits);
    }
    next_.forget(own(origin.index, 0));
  }

  /// Passes on the held requests, each as a stream of its own.
  void release() {
    for (Held& held : std::exchange(held_, {}))
      pass_on(held.origin, kHeld + held_streams_++, held.request, held.terms);
  }
  std::size_t under_way() const { return origins_.size(); }

  void delivered(const Origin& mine, const std::string& broker,
                 const mqtt::DeliveryOutcome& outcome) noexcept override {
    const Origin& origin = origins_.at(mine.slot);
    origin.source->delivered(origin, broker, outcome);
  }
  void settled(const Origin& mine, const protocol::Reply& reply,
               protocol::Request request) noexcept override {
    const Origin origin = origins_.at(mine.slot);
    origins_.erase(mine.slot);
    origin.source->settled(origin, reply, std::move(request));
  }
  unsigned grant(const Origin& mine, unsigned most) noexcept override {
    const auto waits = waiting_.find(mine.index);
    if (waits == waiting_.end()) return 0;
    const Origin origin = origins_.at(waits->second);
    waiting_.erase(waits);
    return origin.source->grant(origin, most);
  }
  log::Subject about(const Origin& mine) const noexcept override {
    const Origin& origin = origins_.at(mine.slot);
    return origin.source->about(origin);
  }

 private:
  struct Held {
    Origin origin;
    protocol::Request request;
    Terms terms;
  };
  static constexpr std::uint32_t kHeld = 1000;

  Origin own(std::uint32_t index, std::uint64_t slot) {
    return {.source = this, .index = index, .generation = 1, .slot = slot};
  }
  Taken pass_on(const Origin& origin, std::uint32_t index, protocol::Request& request,
                const Terms& terms) {
    const std::uint64_t slot = ++slots_;
    origins_.emplace(slot, origin);
    const Taken taken = next_.submit(own(index, slot), request, terms);
    if (taken == Taken::Full) origins_.erase(slot);
    if (taken == Taken::Waits && index < kHeld) waiting_.emplace(index, slot);
    return taken;
  }

  Intake& next_;
  std::map<std::uint64_t, Origin> origins_;         // by our slots
  std::map<std::uint32_t, std::uint64_t> waiting_;  // the slots, by stream
  std::vector<Held> held_;
  std::uint64_t slots_ = 100;
  std::uint32_t held_streams_ = 0;
};

struct Gated : LedgerLab {
  Gated() : LedgerLab({narrow_broker()}) { bring_up(); }
  ~Gated() { ledger->give_up_all(); }

  Gate gate{*ledger};
  TestSource source{loop, gate};
};

}  // namespace

TEST_CASE("what an intake passes on comes back through it to the origin", "[intake]") {
  Gated lab;
  CHECK(lab.source.submit("x", 7) == Taken::Accepted);
  lab.wait_for_sent(1);
  lab.connection().ack();
  CHECK(lab.source.deliveries == Texts{"1 a acknowledged"});
  CHECK(lab.source.replies == Texts{"1 x ok"});
  CHECK(lab.gate.under_way() == 0);
}

TEST_CASE("an intake answers a request by itself", "[intake]") {
  Gated lab;
  CHECK(lab.source.submit("forbidden", 7) == Taken::Settled);
  CHECK(lab.source.replies == Texts{"1 forbidden forbidden"});
  CHECK(lab.ledger->is_idle());
}

TEST_CASE("what the ledger answers at once is answered through an intake at once", "[intake]") {
  Gated lab;
  CHECK(lab.source.submit("x", 1000) == Taken::Settled);
  CHECK(lab.source.replies == Texts{"1 x no_route"});
  CHECK(lab.gate.under_way() == 0);
}

TEST_CASE("an intake holds requests and passes them on later, waiting for room if need be",
          "[intake]") {
  Gated lab;
  for (int device = 1; device <= 3; ++device)
    CHECK(lab.source.submit("later", device) == Taken::Accepted);
  lab.settle();
  CHECK(lab.connection().sent.empty());
  CHECK(lab.ledger->is_idle());
  lab.gate.release();
  CHECK(lab.pools[0]->waiters() == 1);
  for (std::size_t i = 1; i <= 3; ++i) {
    lab.wait_for_sent(i);
    lab.connection().ack();
    lab.settle();
  }
  CHECK(lab.source.replies == Texts{"1 later ok", "2 later ok", "3 later ok"});
  CHECK(lab.source.grants.empty());  // the source itself did not wait
}

TEST_CASE("waiting, grants and a full broker reach a source through an intake", "[intake]") {
  Gated lab;
  lab.source.submit("first", 1);
  lab.source.submit("second", 2);
  CHECK(lab.source.submit("third", 3, {.when_full = WhenFull::Refuse}) == Taken::Full);
  CHECK(lab.source.last.payload() == "third");
  CHECK(lab.gate.under_way() == 2);
  lab.source.add(1, "fourth", 4, 2);
  lab.settle();
  CHECK(lab.source.taken.back() == Taken::Waits);
  lab.run_until([&] {
    lab.connection().ack_all();
    return lab.ledger->is_idle();
  });
  CHECK(lab.connection().payloads() == Texts{"first", "second", "fourth", "fourth"});
  CHECK(lab.source.grants.size() >= 1);
}

TEST_CASE("a stream that is gone is forgotten through an intake", "[intake]") {
  Gated lab;
  lab.source.submit("first", 1);
  lab.source.submit("second", 2);
  lab.source.add(1, "waits", 3);
  lab.settle();
  REQUIRE(lab.pools[0]->waiters() == 1);
  REQUIRE(lab.gate.under_way() == 3);
  lab.source.forget(1);
  CHECK(lab.pools[0]->waiters() == 0);
  CHECK(lab.gate.under_way() == 2);
}
