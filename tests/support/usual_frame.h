// Reads the next frame as the server does.
#pragma once

#include <cstddef>
#include <string_view>

#include "protocol/frame_reader.h"
#include "protocol/members.h"
#include "protocol/usual_request.h"

namespace sluice {

/// Like FrameReader::next(), but a usual request that was read whole is taken in one pass, without
/// searching for its end first.
inline protocol::Frame next_usual_or_other(protocol::FrameReader& reader) {
  constexpr std::uint32_t kMaxTimeoutMs = 60000;
  const std::string_view ahead = reader.ahead();
  protocol::Members members;
  members.prepare(ahead, kMaxTimeoutMs);
  const std::size_t size = protocol::read_usual_request(ahead, members);
  if (size == 0) return reader.next();
  reader.pass(size);
  protocol::Frame frame;
  frame.kind = protocol::Frame::Kind::Request;
  frame.bytes = ahead.substr(0, size);
  return frame;
}

}  // namespace sluice
