// Reads the next frame as the server does.
#pragma once

#include <cstddef>
#include <string_view>

#include "protocol/fast_path.h"
#include "protocol/frame_reader.h"
#include "protocol/members.h"

namespace sluice {

/// Like FrameReader::next(), but the fast path reads a flat request without searching for its end
/// first.
inline protocol::Frame next_with_fast_path(protocol::FrameReader& reader) {
  constexpr std::uint32_t kMaxTimeoutMs = 60000;
  const std::string_view ahead = reader.ahead();
  protocol::Members members;
  members.prepare(ahead, kMaxTimeoutMs);
  const std::size_t size = protocol::read_fast_path(ahead, members);
  if (size == 0) return reader.next();
  reader.consume(size);
  protocol::Frame frame;
  frame.kind = protocol::Frame::Kind::Request;
  frame.bytes = ahead.substr(0, size);
  return frame;
}

}  // namespace sluice
