// Large payloads, which are sent from where they lie, against a broker over a real socket.
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "catch.h"
#include "transport_scene.h"

using namespace sluice;
using namespace sluice::mqtt;
using Scene = TransportScene;

TEST_CASE("large payloads arrive whole at a broker that reads slowly, their requests gone or not",
          "[transport]") {
  Scene scene;
  std::vector<std::string> payloads;
  int seed = 0;
  for (const std::size_t size : std::initializer_list<std::size_t>{
           1, 16383, 16384, 16385, 65536, 100, 1048576, 20000, 0, 500000}) {
    payloads.push_back(long_payload(size, ++seed));
    protocol::Request request = protocol::Request::make("t", payloads.back());
    request.qos = static_cast<std::uint8_t>(seed % 3);
    std::uint16_t id = 0;
    REQUIRE(scene.transport->publish(request, id) == PublishStatus::Queued);
    if (seed % 2 == 0) scene.transport->flush();
  }
  CHECK(scene.transport->is_congested());
  scene.broker.send(pubacks(1, 1));  // while most of it is still here
  scene.wait_for(wire::Type::Publish, payloads.size());
  CHECK((payloads_of(scene.broker.input()) == payloads));
  CHECK(scene.events.losses.empty());
}

TEST_CASE("many large payloads leave in one flush, more than one write takes", "[transport]") {
  Scene scene;
  std::vector<std::string> payloads;
  for (int i = 0; i < 100; ++i) {
    payloads.push_back(long_payload(16384, i));
    std::uint16_t id = 0;
    REQUIRE(scene.transport->publish(protocol::Request::make("t", payloads.back()), id) ==
            PublishStatus::Queued);
  }
  scene.transport->flush();
  scene.wait_for(wire::Type::Publish, payloads.size());
  CHECK((payloads_of(scene.broker.input()) == payloads));
}

TEST_CASE("a connection that is lost amid a large payload lets go of it", "[transport]") {
  Scene scene;
  const protocol::Request request = protocol::Request::make("t", long_payload(8 << 20, 1));
  std::uint16_t id = 0;
  REQUIRE(scene.transport->publish(request, id) == PublishStatus::Queued);
  scene.transport->flush();
  REQUIRE(scene.transport->is_congested());
  SECTION("found out") {
    scene.broker.reset();
    scene.run_until([&] { return !scene.events.losses.empty(); });
  }
  SECTION("dropped") {
    scene.transport->drop(/*reset=*/true);
  }
  scene.transport.reset();
  CHECK_FALSE(request.payload_block().is_shared());
}
