// Which of its broker's addresses a pool tries, and when it asks for the name again.
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "event/name_service.h"
#include "pool_lab.h"

namespace sluice::mqtt {
namespace {

using event::Addresses;
using std::chrono::seconds;

/// The test plays the name server.
class Names final : public event::NameService {
 public:
  void start(const std::shared_ptr<event::Lookup>& lookup) noexcept override {
    pending = lookup;
    ++asked;
  }
  void cancel(const std::shared_ptr<event::Lookup>&) noexcept override { pending = nullptr; }
  bool is_busy() const noexcept override { return false; }

  std::shared_ptr<event::Lookup> pending;
  int asked = 0;
};

/// A pool whose broker has a name.
struct Scene {
  explicit Scene(unsigned links = 1, const std::function<void(config::Broker&)>& change = {})
      : lab(links, [&](config::Broker& broker) {
          broker.host = "broker.test";
          broker.url = "mqtt://broker.test";
          broker.reconnect_max = std::chrono::hours(1);
          if (change) change(broker);
        }) {
    lab.loop->use_names(names);
    lab.pool->start();
    lab.turn();
  }

  void answer(Result<Addresses> addresses) {
    REQUIRE(names.pending != nullptr);
    names.pending->answer(std::move(addresses));
    names.pending = nullptr;
    lab.turn();
  }
  void fail_lookup() { answer(Error{"no answer"}); }
  /// The latest attempt fails, and the next one begins after its delay.
  void fail() {
    const std::size_t attempts = lab.broker.attempts.size();
    latest().fail();
    lab.run_until([&] { return lab.broker.attempts.size() > attempts; });
  }
  Connection& latest() const { return *lab.broker.attempts.back(); }
  std::string address() const { return latest().options.address; }

  Names names;
  PoolLab lab;
};

}  // namespace

TEST_CASE("a broker whose name has moved is found at once", "[connect-names]") {
  Scene scene;
  scene.answer(Addresses{"10.0.0.1"});
  CHECK(scene.address() == "10.0.0.1");
  scene.latest().accept();
  scene.lab.advance(seconds(60));
  CHECK(scene.names.asked == 1);
  scene.latest().lose();
  scene.lab.turn();
  CHECK(scene.names.asked == 1);
  scene.lab.run_until([&] { return scene.lab.broker.attempts.size() == 2; });
  scene.latest().fail();
  scene.lab.turn();
  CHECK(scene.names.asked == 2);
  scene.answer(Addresses{"10.0.0.2"});
  CHECK(scene.lab.broker.attempts.size() == 3);
  CHECK(scene.address() == "10.0.0.2");
}

TEST_CASE("a name that moves later is found within 4 s", "[connect-names]") {
  Scene scene;
  scene.answer(Addresses{"10.0.0.1"});
  for (int i = 0; i < 12; ++i) {
    scene.fail();
    if (scene.names.pending) scene.answer(Addresses{"10.0.0.1"});
  }
  const int asked = scene.names.asked;
  const TimePoint moved = scene.lab.loop.now();
  while (scene.address() != "10.0.0.2") {
    if (scene.names.pending) scene.answer(Addresses{"10.0.0.2"});
    if (scene.latest().is_pending() && scene.address() != "10.0.0.2") scene.latest().fail();
    scene.lab.advance(Duration(100));
  }
  CHECK(scene.lab.loop.now() - moved <= seconds(4));
  CHECK(scene.names.asked - asked <= 2);
}

TEST_CASE("each known address is tried before the name is asked again", "[connect-names]") {
  Scene scene;
  scene.answer(Addresses{"10.0.0.1", "10.0.0.2", "10.0.0.3"});
  scene.fail();
  CHECK(scene.address() == "10.0.0.2");
  scene.fail();
  CHECK(scene.address() == "10.0.0.3");
  CHECK(scene.names.asked == 1);
  scene.latest().fail();
  scene.lab.advance(seconds(2));
  CHECK(scene.names.asked == 2);
}

TEST_CASE("while a lookup fails or takes long, the former addresses are tried", "[connect-names]") {
  Scene scene;
  scene.answer(Addresses{"10.0.0.1"});
  scene.lab.advance(seconds(1));
  scene.fail();  // the lookup takes longer than this delay
  CHECK(scene.names.asked == 2);
  CHECK(scene.address() == "10.0.0.1");
  const std::size_t attempts = scene.lab.broker.attempts.size();
  for (int i = 0; i < 5; ++i)
    scene.fail();
  CHECK(scene.lab.broker.attempts.size() == attempts + 5);
  CHECK(scene.names.asked == 2);
  scene.fail_lookup();
  scene.fail();
  CHECK(scene.address() == "10.0.0.1");
}

TEST_CASE("a lookup that failed is repeated within 2 s, not before 1 s", "[connect-names]") {
  Scene scene;
  scene.answer(Addresses{"10.0.0.1"});
  scene.lab.advance(seconds(1));
  scene.lab.broker.unreachable = true;
  scene.latest().fail();
  scene.lab.turn();
  REQUIRE(scene.names.asked == 2);
  for (int asked = 2; asked < 6; ++asked) {
    scene.fail_lookup();
    scene.lab.advance(Duration(999));
    CHECK(scene.names.asked == asked);
    scene.lab.advance(Duration(1001));
    CHECK(scene.names.asked == asked + 1);
  }
}

TEST_CASE("a name without any address is asked for once a second, for all links",
          "[connect-names]") {
  Scene scene(20);
  scene.fail_lookup();
  for (int second = 0; second < 10; ++second) {
    CHECK(scene.names.asked == second + 1);
    scene.lab.advance(seconds(1));
    scene.fail_lookup();
  }
  CHECK(scene.lab.broker.attempts.empty());
  scene.lab.advance(seconds(1));
  scene.answer(Addresses{"10.0.0.1"});
  CHECK(scene.address() == "10.0.0.1");
}

TEST_CASE("an answer in another order skips no address", "[connect-names]") {
  Scene scene;
  scene.answer(Addresses{"10.0.0.1", "10.0.0.2"});
  scene.lab.advance(seconds(1));
  scene.fail();
  CHECK(scene.address() == "10.0.0.2");
  scene.latest().fail();
  scene.lab.turn();
  scene.answer(Addresses{"10.0.0.2", "10.0.0.1"});
  scene.lab.advance(seconds(2));
  CHECK(scene.address() == "10.0.0.1");
}

TEST_CASE("an address that does not answer is not waited for when the name has another by then",
          "[connect-names]") {
  Scene scene;
  scene.answer(Addresses{"10.0.0.1"});
  scene.lab.advance(seconds(2));
  REQUIRE(scene.latest().is_pending());
  CHECK(scene.names.asked == 2);
  CHECK(scene.lab.broker.attempts.size() == 1);  // its only link is connecting

  Scene two(2);
  two.answer(Addresses{"10.0.0.1"});
  REQUIRE(two.latest().is_pending());
  two.lab.advance(seconds(2));
  CHECK(two.names.asked == 2);
  two.answer(Addresses{"10.0.0.2"});
  CHECK(two.address() == "10.0.0.2");
  CHECK(two.lab.broker.pending() == 2);
}

TEST_CASE("a new name is resolved at once, whatever became of the former one", "[connect-names]") {
  Scene scene;
  scene.fail_lookup();
  scene.lab.change([](PoolSettings& settings) {
    settings.broker.host = "other.test";
    settings.broker.url = "mqtt://other.test";
    settings.connection_key = "other";
  });
  scene.lab.turn();
  REQUIRE(scene.names.pending != nullptr);
  CHECK(scene.names.pending->host() == "other.test");
  scene.answer(Addresses{"10.0.0.1"});
  CHECK(scene.address() == "10.0.0.1");
}

}  // namespace sluice::mqtt
