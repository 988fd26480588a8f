// A steady load of requests allocates nothing. Counts the program's calls of `new`.
#include "allocations.h"

#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "catch.h"
#include "protocol/decoder.h"
#include "protocol/frame_reader.h"
#include "protocol/reply.h"

namespace sluice::protocol {
namespace {

/// Frames, decodes and answers `count` requests with messages of 100 to 131 bytes. Has no
/// assertions: the test framework allocates for each.
class Line {
 public:
  bool run(int count) {
    bool all_right = true;
    for (int i = 0; i < count; ++i)
      all_right = serve(i) && all_right;
    return all_right;
  }

 private:
  bool serve(int i) {
    const std::size_t size = 100 + static_cast<std::size_t>(i % 32);
    text_ = R"({"device_id":7,"mqtt_topic":"dev/7/cmd","id":"request-)";
    text_ += static_cast<char>('0' + i % 10);
    text_ += R"(","message":")";
    text_.append(size, 'x');
    text_ += "\"}\n";
    reader_.feed(text_);
    const Frame frame = reader_.next();
    if (frame.kind != Frame::Kind::Request) return false;
    Decoded decoded = decoder_.decode(frame.bytes);
    auto* request = std::get_if<Request>(&decoded);
    if (request == nullptr || request->payload().size() != size) return false;
    out_.clear();
    encoder_.append(Reply::success(), request->id(), Framing::Stream, out_);
    decoder_.reuse(std::move(*request));
    reader_.save();
    return true;
  }

  std::string text_;
  std::string out_;
  SpareBlocks spare_;
  FrameReader reader_{1 << 20, spare_};
  Decoder decoder_;
  ReplyEncoder encoder_{"sent", "failed", "\n"};
};

}  // namespace

TEST_CASE("a steady load of requests and replies allocates nothing", "[allocations]") {
  Line line;
  take_allocations();
  bool all_right = line.run(100);
  const std::size_t at_first = take_allocations().count;
  all_right = line.run(1000) && all_right;
  const std::size_t later = take_allocations().count;
  CHECK(all_right);
  CHECK(at_first > 0);
  CHECK(later == 0);
}

TEST_CASE("a spare block that is too small or much too large is not used", "[allocations]") {
  const std::string payload(300, 'x');
  const auto block_of = [](std::string_view text) { return Request::make("t", text).take_block(); };
  const Request small = Request::make("t", payload, {}, {}, nullptr, block_of("x"));
  CHECK(small.payload() == payload);
  RequestBlock large = block_of(std::string(900, 'y'));
  const void* const bytes = large.bytes.get();
  const Request other = Request::make("t", "x", {}, {}, nullptr, std::move(large));
  CHECK(static_cast<const void*>(other.topic().data()) != bytes);
}

TEST_CASE("small blocks are kept for requests to come, up to a bound", "[allocations]") {
  constexpr std::size_t kPayload = 200;
  constexpr std::size_t kMany = 20000;
  Decoder decoder;
  for (std::size_t i = 0; i < kMany; ++i)
    decoder.reuse(Request::make("t", std::string(kPayload, 'x')));
  decoder.reuse(Request());
  const std::string text =
      R"({"device_id":1,"mqtt_topic":"t","message":")" + std::string(kPayload, 'y') + "\"}";
  std::vector<Decoded> decoded;
  decoded.reserve(kMany);
  take_allocations();
  while (take_allocations().count == 0 && decoded.size() < kMany)
    decoded.push_back(decoder.decode(text));
  CHECK(decoded.size() * kPayload > 500000);
  CHECK(decoded.size() * kPayload < 1 << 20);
}

TEST_CASE("the block of a large request is not kept", "[allocations]") {
  Decoder decoder;
  decoder.reuse(Request::make("t", std::string(2000, 'x')));
  const std::string text =
      R"({"device_id":1,"mqtt_topic":"t","message":")" + std::string(1950, 'y') + "\"}";
  take_allocations();
  const Decoded decoded = decoder.decode(text);
  CHECK(take_allocations().count > 0);
}

}  // namespace sluice::protocol
