// Blocks for large requests: they are reused, and no more are kept than allowed.
#include "protocol/spare_blocks.h"

#include <string>
#include <utility>
#include <vector>

#include "allocations.h"
#include "catch.h"
#include "protocol/frame_reader.h"

namespace sluice::protocol {
namespace {

constexpr std::size_t kPiece = 65536;

/// Feeds `request` in pieces. False: the reader did not report it whole, once, at its end.
bool pass(FrameReader& reader, const std::string& request) {
  for (std::size_t at = 0; at < request.size(); at += kPiece) {
    const std::string_view piece = std::string_view(request).substr(at, kPiece);
    reader.feed(piece);
    const Frame frame = reader.next();
    const bool is_last = at + kPiece >= request.size();
    if ((frame.kind == Frame::Kind::Request) != is_last) return false;
    if (is_last && frame.bytes != request) return false;
    if (is_last && reader.next().kind != Frame::Kind::NeedMore) return false;
    reader.save();
  }
  return true;
}

std::string request_of(std::size_t bytes) {
  return "{\"a\":\"" + std::string(bytes - 8, 'x') + "\"}";
}

}  // namespace

TEST_CASE("one large request after the other takes no memory anew", "[spare_blocks]") {
  SpareBlocks spare;
  FrameReader reader(2 << 20, spare);
  const std::string request = request_of(1 << 20);
  bool all_right = pass(reader, request);
  take_allocations();
  for (int i = 0; i < 10; ++i)
    all_right = pass(reader, request) && all_right;
  const std::size_t later = take_allocations().count;
  CHECK(all_right);
  CHECK(later == 0);
  CHECK(reader.buffered() == 0);
}

TEST_CASE("what readers give back is kept up to a limit", "[spare_blocks]") {
  SpareBlocks spare;
  std::vector<FrameReader> readers;
  const std::string request = request_of(300000);
  for (int i = 0; i < 60; ++i) {
    readers.emplace_back(1 << 20, spare);
    readers.back().feed(std::string_view(request).substr(0, 250000));
    CHECK(readers.back().next().kind == Frame::Kind::NeedMore);
    readers.back().save();
    CHECK(readers.back().buffered() == 250000);
  }
  CHECK(spare.kept_bytes() == 0);
  for (FrameReader& reader : readers) {
    reader.feed(std::string_view(request).substr(250000));
    CHECK(reader.next().bytes == request);
    CHECK(reader.next().kind == Frame::Kind::NeedMore);
    CHECK(spare.kept_bytes() <= SpareBlocks::kMaxBytes);
  }
  CHECK(spare.kept_bytes() > SpareBlocks::kMaxBytes / 2);
}

TEST_CASE("a block is less than twice as large as what is needed", "[spare_blocks]") {
  SpareBlocks spare;
  spare.give_back(spare.take(1 << 20));
  const std::size_t kept = spare.kept_bytes();
  CHECK(spare.take(17000).capacity() == SpareBlocks::kSmallest);
  for (std::size_t needed = SpareBlocks::kSmallest; needed <= kept / 2; needed += 1000)
    CHECK(spare.take(needed).capacity() < 2 * needed);
  CHECK(spare.kept_bytes() == kept);
  CHECK(spare.take(1 << 20).capacity() == kept);
  CHECK(spare.kept_bytes() == 0);
}

TEST_CASE("a block of an odd or of a huge size is not kept", "[spare_blocks]") {
  SpareBlocks spare;
  spare.give_back(spare.take(3 << 20));
  spare.give_back(Block::make(100000));
  spare.give_back(Block::make(1000));
  spare.give_back({});
  CHECK(spare.kept_bytes() == 0);
}

TEST_CASE("a block is kept when its last holder gives it back, and freed with the last one",
          "[spare_blocks]") {
  SpareBlocks spare;
  Block block = spare.take(100000);
  Block other = block.share();
  CHECK(other.data() == block.data());
  spare.give_back(std::move(block));
  CHECK(spare.kept_bytes() == 0);
  CHECK_FALSE(other.is_shared());
  other.data()[0] = 'x';
  spare.give_back(std::move(other));
  CHECK(spare.kept_bytes() > 100000);
}

TEST_CASE("a block that serves again counts as far as it was written to", "[spare_blocks]") {
  SpareBlocks spare;
  FrameReader reader(1 << 20, spare);
  const std::string large = request_of(120000);
  CHECK(pass(reader, large));
  reader.feed(std::string_view(large).substr(0, 40000));
  CHECK(reader.next().kind == Frame::Kind::NeedMore);
  reader.save();
  CHECK(reader.buffered() == kPiece);
}

}  // namespace sluice::protocol
