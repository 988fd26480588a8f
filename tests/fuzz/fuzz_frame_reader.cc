// libFuzzer: any bytes in any pieces tell the same as the whole at once, and nothing is held that
// need not be.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/frame_reader.h"

using sluice::protocol::Frame;
using sluice::protocol::FrameReader;

namespace {

constexpr std::size_t kLimit = 48;

void require(bool holds) {
  if (!holds) std::abort();
}

std::string told(const Frame& frame) {
  std::string out(1, static_cast<char>('0' + static_cast<int>(frame.kind)));
  out += static_cast<char>('a' + static_cast<int>(frame.error));
  out += frame.ends_connection ? '!' : '.';
  out += frame.detail;
  out += '\0';
  out += frame.bytes;
  return out;
}

/// Reads `input` in pieces of 1 to `largest` bytes, at times saved before they are looked at.
/// 0: all at once.
std::vector<std::string> read(std::string_view input, std::size_t largest) {
  FrameReader reader(kLimit);
  std::vector<std::string> out;
  std::size_t turn = 0;
  while (!input.empty()) {
    std::string piece(input.substr(0, largest == 0 ? input.size() : 1 + turn++ % largest));
    input.remove_prefix(piece.size());
    reader.feed(piece);
    if (largest > 1 && turn % 5 == 0) {
      reader.save();
      piece.assign(piece.size(), '#');
    }
    for (Frame frame = reader.next(); frame.kind != Frame::Kind::NeedMore; frame = reader.next()) {
      require(frame.bytes.size() <= kLimit);
      out.push_back(told(frame));
    }
    require(!reader.has_input());
    reader.save();
    // Bytes already used stay in front of a growing request until they are half of what is held.
    require(reader.buffered() <= 2 * kLimit);
  }
  out.push_back(told(reader.finish()));
  return out;
}

}  // namespace

// The name is libFuzzer's.
// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto whole = read(input, 0);
  require(read(input, 1) == whole);
  require(read(input, 7) == whole);
  return 0;
}
