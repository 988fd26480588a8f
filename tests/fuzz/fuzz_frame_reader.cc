// libFuzzer: in pieces of any size, saved at any time, a client's bytes give the same frames as in
// one piece, and no more is held than the current request.
// The input's first line has the steps, readable in a seed: the first byte is the longest request
// and chooses the request_end (see kEnds), each other one is a step (see step_of), repeated from
// the first. The rest is the stream.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "fast_path_frame.h"
#include "protocol/frame_reader.h"
#include "require.h"

using sluice::fuzz::require;
using sluice::protocol::Frame;
using sluice::protocol::FrameReader;
using sluice::protocol::Framing;
using sluice::protocol::RequestEnd;
using sluice::protocol::SpareBlocks;

namespace {

/// None for '0', which most seeds begin with, "##" for '1' and so on. Some repeat themselves or
/// begin like a method, a byte order mark or a TLS handshake.
const std::array<RequestEnd, 8> kEnds = {
    RequestEnd(),        RequestEnd("##"),    RequestEnd("aab"),          RequestEnd("POSE"),
    RequestEnd("ababc"), RequestEnd("\x16#"), RequestEnd("\xEF\xBC\x83"), RequestEnd("# #")};

constexpr std::size_t kMaxStream = 640;  // a few of the longest requests: more is only slower

enum class Scan {
  All,      // like the server: all frames, then save()
  AllLate,  // save() first: the read buffer is reused before the frames are read
  One,      // one frame, which paused the client
  None,     // the client is paused
};

struct Step {
  std::size_t bytes = 1;  // of the stream
  Scan scan = Scan::All;
};

/// 'A' to 'Z' are 1 to 26 bytes, 'a' to 'z' the same scanned late; '0' to '9' one frame after
/// 1 to 10 bytes, ' ' to '/' none after 0 to 15; other bytes are large pieces.
Step step_of(unsigned char byte) {
  if (byte >= 'A' && byte <= 'Z') return {byte - 'A' + 1U, Scan::All};
  if (byte >= 'a' && byte <= 'z') return {byte - 'a' + 1U, Scan::AllLate};
  if (byte >= '0' && byte <= '9') return {byte - '0' + 1U, Scan::One};
  if (byte >= ' ' && byte <= '/') return {byte - 0x20U, Scan::None};
  return {byte, Scan::All};
}

std::string text_of(const Frame& frame) {
  std::string out(1, static_cast<char>('0' + static_cast<int>(frame.kind)));
  out += static_cast<char>('a' + static_cast<int>(frame.error));
  out += frame.ends_connection ? '!' : '.';
  out += frame.is_first ? '1' : '.';
  out += frame.detail;
  out += '\0';
  out += frame.bytes;
  return out;
}

class Reading {
 public:
  /// `next` finds the frames.
  Reading(std::size_t limit, Frame (*next)(FrameReader&))
      : limit_(limit), next_(next), reader_(limit, spare_, kEnds[limit % kEnds.size()]) {}

  void take(std::string_view bytes, Scan scan) {
    // Memory of exactly this size: reading beyond it is detected.
    std::vector<char> piece(bytes.begin(), bytes.end());
    reader_.feed({piece.data(), piece.size()});
    unscanned_ += piece.size();
    if (scan == Scan::AllLate) save();
    if (scan == Scan::All || scan == Scan::AllLate) read_all();
    if (scan == Scan::One) read_one();
    save();
    std::fill(piece.begin(), piece.end(), '#');
  }

  std::vector<std::string> finish() {
    read_all();
    const bool inside = reader_.inside_request();
    const Frame last = reader_.finish();
    require(inside == (last.kind == Frame::Kind::Fault));
    out_.push_back(text_of(last));
    return out_;
  }

 private:
  bool read_one() {
    const Frame frame = next_(reader_);
    if (frame.kind == Frame::Kind::NeedMore) {
      require(!reader_.has_input());
      unscanned_ = 0;
      return false;
    }
    require(frame.bytes.size() <= limit_);
    if (frame.kind == Frame::Kind::Request && reader_.framing() == Framing::Stream)
      require(frame.bytes.front() == '{' && frame.bytes.back() == '}');
    out_.push_back(text_of(frame));
    return true;
  }

  void read_all() {
    while (read_one()) {
    }
  }

  void save() {
    reader_.save();
    if (unscanned_ == 0) {
      require(reader_.buffered() <= limit_);
    } else {
      // Consumed bytes are dropped once they are half of those held.
      require(reader_.buffered() <= 2 * (limit_ + unscanned_));
    }
  }

  const std::size_t limit_;
  Frame (*const next_)(FrameReader&);
  SpareBlocks spare_;
  FrameReader reader_;
  std::size_t unscanned_ = 0;  // upper bound of the bytes fed since the last NeedMore
  std::vector<std::string> out_;
};

Frame next(FrameReader& reader) {
  return reader.next();
}

std::vector<std::string> read(std::string_view stream, std::size_t limit, std::string_view steps,
                              Frame (*next_frame)(FrameReader&)) {
  Reading reading(limit, next_frame);
  std::size_t turn = 0;
  while (!stream.empty()) {
    Step step = step_of(static_cast<unsigned char>(steps[turn % steps.size()]));
    // A round of steps takes one byte at least.
    if (++turn % steps.size() == 0) step.bytes = std::max<std::size_t>(step.bytes, 1);
    step.bytes = std::min(step.bytes, stream.size());
    reading.take(stream.substr(0, step.bytes), step.scan);
    stream.remove_prefix(step.bytes);
  }
  return reading.finish();
}

}  // namespace

// The name is libFuzzer's.
// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t newline = input.find('\n');
  if (newline == std::string_view::npos || newline < 2) return 0;
  const auto limit = std::max<std::size_t>(data[0], 1);
  const std::string_view steps = input.substr(1, newline - 1);
  const std::string_view stream = input.substr(newline + 1).substr(0, kMaxStream);

  Reading at_once(limit, next);
  at_once.take(stream, Scan::All);
  const std::vector<std::string> whole = at_once.finish();
  require(read(stream, limit, steps, next) == whole);
  require(read(stream, limit, "A", next) == whole);
  require(read(stream, limit, steps, sluice::next_with_fast_path) == whole);
  return 0;
}
