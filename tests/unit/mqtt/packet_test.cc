// Without a connection: the table of packet identifiers, refusals by the CONNACK's limits.
#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "catch.h"
#include "mqtt/delivery.h"
#include "mqtt/link/announced_refusal.h"
#include "mqtt/link/packet_ids.h"
#include "mqtt/reason_codes.h"

using namespace sluice;
using namespace sluice::mqtt;

TEST_CASE("an acknowledgement finds its message once", "[packet_ids]") {
  PacketIds ids;
  Delivery a;
  Delivery b;
  ids.insert(1, a);
  ids.insert(65535, b);
  CHECK(ids.contains(1));
  CHECK_FALSE(ids.contains(2));
  CHECK(ids.take(65535) == &b);
  CHECK(ids.take(1) == &a);
  CHECK(ids.take(1) == nullptr);
  CHECK_FALSE(ids.contains(1));
}

TEST_CASE("the table agrees with a map through wraps and random acknowledgements", "[packet_ids]") {
  const std::size_t window = GENERATE(8u, 300u);  // in one page or two, and in many
  PacketIds ids;
  std::map<std::uint16_t, Delivery*> expected;
  std::deque<Delivery> messages(window);
  std::vector<Delivery*> idle;
  idle.reserve(window);
  for (Delivery& delivery : messages)
    idle.push_back(&delivery);
  std::mt19937 random(5);
  std::uint16_t next = 65000;
  for (int step = 0; step < 20000; ++step) {
    const bool fills = step / 2000 % 2 == 0;
    if (!idle.empty() && random() % 8 < (fills ? 5u : 3u)) {
      while (expected.count(next) != 0 || next == 0)
        ++next;
      ids.insert(next, *idle.back());
      expected[next] = idle.back();
      idle.pop_back();
      // Strides of half a page now and then, so that many pages are in use.
      next = static_cast<std::uint16_t>(next + (random() % 3 == 0 ? 128 : 1));
    } else if (!expected.empty()) {
      auto taken = expected.begin();
      std::advance(taken, static_cast<long>(random() % expected.size()));
      REQUIRE(ids.take(taken->first) == taken->second);
      idle.push_back(taken->second);
      expected.erase(taken);
    }
    if (window > 8 && step % 40 > 0) continue;
    for (const auto& [id, delivery] : expected)
      REQUIRE(ids.contains(id));
  }
}

TEST_CASE("the table has room for every identifier, in as many pages as its use asks for",
          "[packet_ids]") {
  constexpr std::size_t kIdentifiers = 65535;
  std::deque<Delivery> messages(kIdentifiers);
  PacketIds ids;
  CHECK(ids.pages() == 0);
  for (std::size_t i = 0; i < kIdentifiers; ++i) {
    ids.insert(static_cast<std::uint16_t>(i + 1), messages[i]);
    if (i % 1000 == 0) REQUIRE(ids.pages() == (i + 1) / PacketIds::kPageSize + 1);
  }
  CHECK(ids.pages() == 65536 / PacketIds::kPageSize);
  for (std::size_t i = 0; i < kIdentifiers; ++i) {
    REQUIRE(ids.take(static_cast<std::uint16_t>(i + 1)) == &messages[i]);
    if (i % 1000 == 0) REQUIRE(ids.pages() <= (kIdentifiers - i) / PacketIds::kPageSize + 2);
  }
  CHECK(ids.pages() == 1);  // kept for the next ones
}

TEST_CASE("an identifier that is never acknowledged costs the others no more than its page",
          "[packet_ids]") {
  Delivery stuck;
  Delivery next;
  PacketIds ids;
  ids.insert(1, stuck);
  for (unsigned id = 2; id <= 65535; ++id) {
    ids.insert(static_cast<std::uint16_t>(id), next);
    REQUIRE(ids.take(static_cast<std::uint16_t>(id)) == &next);
  }
  CHECK(ids.pages() == 2);
  CHECK(ids.take(1) == &stuck);
}

namespace {

protocol::Request request(std::uint8_t qos, std::string_view topic, std::string_view payload,
                          std::unique_ptr<protocol::Properties> properties = nullptr) {
  protocol::Request made =
      protocol::Request::make(topic, payload, "\"id\"", "token", std::move(properties));
  made.qos = qos;
  return made;
}

}  // namespace

TEST_CASE("a packet of exactly the broker's maximum goes, one byte more is refused",
          "[announced_refusal]") {
  Connack connack;
  connack.maximum_packet_size = 13;
  CHECK_FALSE(announced_refusal(connack, {}, request(1, "t", "hello")));
  const auto refusal = announced_refusal(connack, {}, request(1, "t", "hello!"));
  REQUIRE(refusal);
  CHECK(refusal->kind == DeliveryOutcome::Kind::Rejected);
  CHECK(refusal->reason_code == reason::kPacketTooLarge);
  CHECK_FALSE(refusal->may_be_published);
  CHECK(refusal->detail.find("14") != std::string::npos);
  CHECK(refusal->detail.find("13") != std::string::npos);
}

TEST_CASE("a QoS above the broker's maximum is refused, up to it not", "[announced_refusal]") {
  Connack connack;
  connack.maximum_qos = 1;
  CHECK_FALSE(announced_refusal(connack, {}, request(0, "t", "")));
  CHECK_FALSE(announced_refusal(connack, {}, request(1, "t", "")));
  const auto refusal = announced_refusal(connack, {}, request(2, "t", ""));
  REQUIRE(refusal);
  CHECK(refusal->reason_code == reason::kQosNotSupported);
}

TEST_CASE("a topic of more levels than the broker takes is refused", "[announced_refusal]") {
  const KnownLimits limits{.max_topic_levels = 3};
  CHECK_FALSE(known_refusal(limits, request(1, "a/b/c", "")));
  const auto refusal = known_refusal(limits, request(1, "a/b//c", ""));
  REQUIRE(refusal);
  CHECK(refusal->reason_code == reason::kTopicNameInvalid);
  CHECK(refusal->detail == "the broker accepts topics of 3 levels, not of 4 (max_topic_levels)");
  CHECK(announcement_of({}, limits) != announcement_of({}, {}));
}

TEST_CASE("a retained message is refused where the broker keeps none", "[announced_refusal]") {
  Connack connack;
  protocol::Request retained = request(1, "t", "");
  retained.retain = true;
  CHECK_FALSE(announced_refusal(connack, {}, retained));
  connack.retain_available = false;
  const auto refusal = announced_refusal(connack, {}, retained);
  REQUIRE(refusal);
  CHECK(refusal->reason_code == reason::kRetainNotSupported);
  CHECK_FALSE(announced_refusal(connack, {}, request(1, "t", "")));
}
