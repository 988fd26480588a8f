// The memory of a large message: the block that it was read into, or one of its own.
#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "catch.h"
#include "protocol/decoder.h"
#include "protocol/frame_reader.h"

using namespace sluice::protocol;

namespace {

/// A text without repeated parts.
std::string payload_of(std::size_t size) {
  std::string payload;
  for (std::size_t i = 0; payload.size() < size; ++i)
    payload += std::to_string(i) + ' ';
  payload.resize(size);
  return payload;
}

std::string text_of(std::string_view payload, std::string_view more = {}) {
  return R"({"device_id":7,"mqtt_topic":"dev/7","id":"i",)" + std::string(more) + R"("message":")" +
         std::string(payload) + "\"}";
}

/// One client's input, read in pieces and decoded in place.
struct Input {
  void read(std::string_view text, std::size_t piece) {
    for (; !text.empty(); text.remove_prefix(std::min(piece, text.size()))) {
      const std::string memory(text.substr(0, piece));  // reused afterwards
      reader.feed(memory);
      for (Frame frame = reader.next(); frame.kind == Frame::Kind::Request; frame = reader.next()) {
        Decoded decoded = decoder.decode(frame.bytes, reader.block_of_request());
        requests.push_back(std::move(std::get<Request>(decoded)));
      }
      reader.save();
    }
  }

  SpareBlocks spare;
  FrameReader reader{2 << 20, spare};
  Decoder decoder;
  std::vector<Request> requests;
};

}  // namespace

TEST_CASE("messages of any size keep each byte while more is read into the same memory",
          "[large_payload]") {
  const std::size_t piece = GENERATE(as<std::size_t>{}, 1000, 16384, 65536, 1 << 20);
  Input input;
  std::vector<std::string> payloads;
  for (const std::size_t size : std::initializer_list<std::size_t>{0, 100, 16383, 16384, 16385,
                                                                   65400, 65536, 300000, 1048576})
    payloads.push_back(payload_of(size));
  std::string all;
  for (const std::string& payload : payloads)
    all += text_of(payload);
  input.read(all, piece);
  REQUIRE(input.requests.size() == payloads.size());
  for (std::size_t i = 0; i < payloads.size(); ++i) {
    const Request request = std::move(input.requests[i]);
    CHECK((request.payload() == payloads[i]));
    CHECK(request.topic() == "dev/7");
    CHECK(request.id() == "\"i\"");
    const bool is_large = payloads[i].size() >= Request::kLargePayload;
    CHECK(static_cast<bool>(request.payload_block()) == is_large);
    CHECK(request.bytes() >= sizeof(Request) + payloads[i].size());
    CHECK(request.bytes() <= sizeof(Request) + payloads[i].size() * 5 / 4 + 100);
  }
}

TEST_CASE("a large message stays in the block that it was read into", "[large_payload]") {
  Input input;
  const std::string payload = payload_of(1 << 20);
  input.read(text_of(payload), 65536);
  REQUIRE(input.requests.size() == 1);
  Request& request = input.requests[0];
  CHECK(request.payload_block().capacity() > payload.size());
  CHECK(request.bytes() > sizeof(Request) + text_of(payload).size());
  CHECK(input.reader.buffered() == 0);
  CHECK_FALSE(request.payload_block().is_shared());
  const std::size_t kept = input.spare.kept_bytes();
  input.spare.give_back(request.take_payload_block());
  CHECK(input.spare.kept_bytes() > kept + payload.size());
}

TEST_CASE("a large message that does not lie in the text as it is has a block of its own",
          "[large_payload]") {
  Input input;
  const std::string payload = payload_of(100000);
  input.read(text_of("\\u0020" + payload), 65536);
  input.read(text_of(std::string(100000, 'A'), R"("encoding":"base64",)"), 65536);
  REQUIRE(input.requests.size() == 2);
  CHECK((input.requests[0].payload() == ' ' + payload));
  CHECK(input.requests[0].payload_block().capacity() == payload.size() + 1);
  CHECK((input.requests[1].payload() == std::string(75000, '\0')));
  CHECK(input.requests[1].payload_block().capacity() == 75000);
}

TEST_CASE("a block of which a message is the smaller part is not held for it", "[large_payload]") {
  Input input;
  const std::string payload = payload_of(100000);
  SECTION("the request says more than its message") {
    input.read(text_of(payload, R"("unknown":")" + std::string(50000, 'x') + "\","), 65536);
  }
  SECTION("a larger request was there before") {
    input.read(text_of(payload_of(130000)), 65536);
    input.spare.give_back(input.requests.at(0).take_payload_block());
    input.requests.clear();
    input.read(text_of(payload), 65536);
  }
  SECTION("the rest was never written to") {
    input.read(text_of(payload), 65536);
  }
  REQUIRE(input.requests.size() == 1);
  CHECK((input.requests[0].payload() == payload));
  CHECK(input.requests[0].payload_block().capacity() == payload.size());
  CHECK(input.requests[0].bytes() < sizeof(Request) + payload.size() + 100);
}
