// When a session pings, and when it ends because the broker is silent.
#include <string>
#include <vector>

#include "catch.h"
#include "session_scene.h"

using namespace sluice;
using namespace sluice::mqtt;
using config::Protocol;
using Scene = SessionScene;

TEST_CASE("a ping goes out before a keep alive has passed in silence, and an answer is enough",
          "[session]") {
  Scene scene(Protocol::V5, 10);
  scene.connect();
  for (int i = 0; i < 3; ++i) {
    CHECK(scene.tick_until_something() == Duration(9500));
    CHECK(scene.take_types() == std::vector{wire::Type::Pingreq});
    scene.receive(bytes("\xd0\x00"));
  }
  CHECK(scene.end() == "(none)");
}

TEST_CASE("a ping without an answer is the end after one more keep alive", "[session]") {
  Scene scene(Protocol::V5, 10);
  scene.connect();
  scene.tick_until_something();
  scene.take_all();
  CHECK(scene.tick_until_something() == Duration(10'000));
  REQUIRE(scene.session.end());
  CHECK(scene.session.end()->kind == Loss::Kind::Silent);
  CHECK(scene.end() == "the broker did not answer a ping in time");
}

TEST_CASE("whatever comes keeps a connection alive whose ping waits behind a backlog",
          "[session]") {
  Scene scene(Protocol::V5, 10);
  scene.connect();
  scene.publish(1);
  scene.take_all();
  scene.tick_until_something();
  for (int i = 0; i < 100; ++i) {
    scene.now += Duration(500);
    if (i % 10 == 0) scene.receive(puback(99));
    scene.session.tick(scene.now);
  }
  CHECK(scene.end() == "(none)");
  CHECK(scene.take_types() == std::vector{wire::Type::Pingreq});
}

TEST_CASE("a broker that takes messages but never says anything is pinged, too", "[session]") {
  Scene scene(Protocol::V5, 10);
  scene.connect();
  std::size_t pings = 0;
  for (int i = 0; i < 100 && !scene.session.end(); ++i) {
    scene.now += Duration(500);
    scene.publish(0);
    scene.session.tick(scene.now);
    for (const wire::Type type : scene.take_types())
      pings += type == wire::Type::Pingreq ? 1 : 0;
    scene.take_acks();
  }
  CHECK(pings == 1);
  CHECK(scene.session.end()->kind == Loss::Kind::Silent);
}

TEST_CASE("the broker's keep alive goes before ours", "[session]") {
  Scene scene(Protocol::V5, 60);
  SECTION("a shorter one") {
    scene.connect(bytes("\x13\x00\x05"));
    CHECK(scene.tick_until_something() == Duration(4500));
  }
  SECTION("none") {
    scene.connect(bytes("\x13\x00\x00"));
    CHECK(scene.tick_until_something() == Duration(500'000));
  }
}

TEST_CASE("without a keep alive there is no ping, and before the CONNACK neither", "[session]") {
  Scene without;
  without.connect();
  CHECK(without.tick_until_something() == Duration(500'000));
  Scene early(Protocol::V5, 5);
  CHECK(early.tick_until_something() == Duration(500'000));
}

TEST_CASE("behind DISCONNECT nothing is sent any more", "[session]") {
  Scene scene(Protocol::V5, 5);
  scene.connect();
  scene.session.disconnect();
  CHECK(scene.take_all() == bytes("\xe0\x00"));
  scene.receive(bytes("\x32\x06\x00\x01t\x00\x07\x00"));
  CHECK(scene.tick_until_something() == Duration(500'000));
  CHECK(scene.take_all().empty());
}
