// The next frame as the server looks for it.
#pragma once

#include <cstddef>
#include <string_view>

#include "protocol/frame_reader.h"
#include "protocol/members.h"
#include "protocol/usual_request.h"

namespace sluice {

/// As FrameReader::next(), but a usual request that lies whole in what was read is read at once,
/// without a look for its end.
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
