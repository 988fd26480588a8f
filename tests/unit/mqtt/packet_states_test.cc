// Which packet identifiers a connection uses, and the bytes that it has to send.
#include "mqtt/transport/packet_states.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "allocations.h"
#include "catch.h"
#include "mqtt/transport/send_buffer.h"
#include "session_scene.h"

using namespace sluice;
using namespace sluice::mqtt;
using Scene = SessionScene;

// --- packet identifiers

TEST_CASE("an identifier is not used again before its message is reported", "[session]") {
  Scene scene;
  scene.connect();
  CHECK(scene.publish(1) == 1);
  CHECK(scene.publish(1) == 2);
  scene.receive(puback(2));
  scene.take_acks();
  for (unsigned expected = 3; expected <= 65535; ++expected) {
    REQUIRE(scene.publish(0) == expected);
    scene.take_all();
    scene.take_acks();
  }
  CHECK(scene.publish(1) == 2);  // 0 is none, and 1 is still out
  CHECK(scene.publish(1) == 3);
}

TEST_CASE("when all identifiers are in use, the next message ends the connection in words",
          "[session]") {
  PacketStates states;
  std::set<std::uint16_t> ids;
  for (unsigned i = 0; i < 65535; ++i)
    ids.insert(states.take(Awaits::Puback));
  CHECK(ids.size() == 65535);
  CHECK(ids.count(0) == 0);
  CHECK(states.take(Awaits::Puback) == 0);
  states.set(40'000, Awaits::Nothing);
  CHECK(states.take(Awaits::Pubrec) == 40'000);
  CHECK(states.of(40'000) == Awaits::Pubrec);
  CHECK(states.of(39'999) == Awaits::Puback);

  Scene scene;
  scene.connect();
  for (unsigned i = 0; i < 65535; ++i)
    scene.publish(1);
  std::uint16_t id = 0;
  CHECK(scene.session.publish(protocol::Request::make("t", ""), id) == PublishStatus::Broken);
  CHECK(scene.end() == "all 65535 packet identifiers are in use");
}

// --- the bytes to be sent

namespace {

std::string unsent(const SendBuffer& buffer) {
  std::array<std::string_view, 64> pieces;
  std::string all;
  for (std::size_t i = 0, count = buffer.next(pieces); i < count; ++i)
    all += pieces[i];
  return all;
}

}  // namespace

TEST_CASE("bytes leave in the order in which they came, however much is taken at a time",
          "[send_buffer]") {
  SendBuffer buffer;
  std::string expected;
  std::string taken;
  for (unsigned i = 0; i < 3000; ++i) {
    const std::string piece(1 + i % 97, static_cast<char>('a' + i % 26));
    buffer.append(piece);
    expected += piece;
    const std::size_t size = std::min<std::size_t>(i % 89, buffer.unsent());
    taken += unsent(buffer).substr(0, size);
    buffer.take(size);
    REQUIRE(buffer.written() == expected.size());
    REQUIRE(buffer.taken() == taken.size());
    if (i % 100 == 0) buffer.trim();
  }
  taken += unsent(buffer);
  CHECK(taken == expected);
}

TEST_CASE("bytes that are lent leave in their order, too, and are held until they have left",
          "[send_buffer]") {
  SendBuffer buffer;
  std::string expected;
  std::string taken;
  std::vector<std::pair<protocol::Block, std::uint64_t>> lent;
  for (unsigned i = 0; i < 3000; ++i) {
    const std::size_t size = 1 + i % 97;
    const std::string piece(size, static_cast<char>('a' + i % 26));
    if (i % 7 == 0 || i % 11 == 0) {  // also two in a row, and first of all
      protocol::Block block = protocol::Block::make(size);
      std::memcpy(block.data(), piece.data(), size);
      buffer.append({block.data(), size}, block);
      lent.emplace_back(std::move(block), buffer.written());
    } else {
      buffer.append(piece);
    }
    expected += piece;
    const std::size_t next = std::min<std::size_t>(i % 89, buffer.unsent());
    const std::string front = unsent(buffer);
    taken += front.substr(0, std::min(next, front.size()));
    buffer.take(std::min(next, front.size()));
    REQUIRE(buffer.written() == expected.size());
    REQUIRE(buffer.taken() == taken.size());
    while (!lent.empty() && lent.front().second <= buffer.taken()) {
      REQUIRE_FALSE(lent.front().first.is_shared());
      lent.erase(lent.begin());
    }
    REQUIRE(std::all_of(lent.begin(), lent.end(),
                        [](const auto& each) { return each.first.is_shared(); }));
    if (i % 100 == 0) buffer.trim();
  }
  for (std::string front = unsent(buffer); !front.empty(); front = unsent(buffer)) {
    taken += front;
    buffer.take(front.size());
  }
  CHECK(taken == expected);
  CHECK(buffer.is_empty());
}

TEST_CASE("a buffer that is never empty grows no larger than what it holds asks for",
          "[send_buffer]") {
  SendBuffer buffer;
  const std::string piece(100, 'x');
  buffer.append(piece);
  take_allocations();
  for (int i = 0; i < 10'000; ++i) {
    buffer.append(piece);
    buffer.take(piece.size());
  }
  CHECK(take_allocations().count <= 2);
}

TEST_CASE("a buffer gives its memory back when nothing has come for a while, and works on",
          "[send_buffer]") {
  SendBuffer buffer;
  buffer.trim();
  buffer.append("one");
  buffer.trim();
  buffer.trim();
  CHECK(unsent(buffer) == "one");
  buffer.take(3);
  buffer.trim();
  CHECK(buffer.is_empty());
  buffer.append("two");
  CHECK(unsent(buffer) == "two");
  buffer.append(std::string(100'000, 'x'));  // more than is kept
  buffer.take(100'003);
  buffer.append("three");
  CHECK(unsent(buffer) == "three");
  CHECK(buffer.taken() == 3 + 100'003);
}
