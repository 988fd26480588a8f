// Reads frames from input in pieces of every kind.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "catch.h"
#include "protocol/frame_reader.h"

namespace sluice::protocol {

inline constexpr std::size_t kLimit = 1000;

using Told = std::vector<std::string>;

/// A frame as one line: "request BYTES", "bad_request BYTES", "too_large! BYTES" (ends), "http",
/// "http first", "close".
inline std::string text_of(const Frame& frame) {
  switch (frame.kind) {
    case Frame::Kind::NeedMore:
      return "more";
    case Frame::Kind::Request:
      return "request " + std::string(frame.bytes);
    case Frame::Kind::Http:
      return frame.is_first ? "http first" : "http";
    case Frame::Kind::Close:
      return "close";
    case Frame::Kind::Fault:
      break;
  }
  return std::string(to_string(frame.error)) + (frame.ends_connection ? "! " : " ") +
         std::string(frame.bytes);
}

inline void drain(FrameReader& reader, Told& out) {
  for (Frame frame = reader.next(); frame.kind != Frame::Kind::NeedMore; frame = reader.next()) {
    out.push_back(text_of(frame));
  }
}

/// The frames of a reader that is fed `pieces` one after another from memory that is then
/// overwritten.
inline Told read_pieces(const std::vector<std::string>& pieces, std::size_t limit = kLimit,
                        const RequestEnd& request_end = kNoRequestEnd) {
  SpareBlocks spare;
  FrameReader reader(limit, spare, request_end);
  Told out;
  for (std::string piece : pieces) {
    reader.feed(piece);
    drain(reader, out);
    reader.save();
    piece.assign(piece.size(), '#');
  }
  return out;
}

inline Told read_whole(const std::string& input, std::size_t limit = kLimit) {
  return read_pieces({input}, limit);
}

inline std::vector<std::string> single_bytes(const std::string& input) {
  std::vector<std::string> pieces;
  for (const char c : input)
    pieces.emplace_back(1, c);
  return pieces;
}

inline std::string framed(const std::string& text) {
  std::string out;
  for (const unsigned shift : {24U, 16U, 8U, 0U}) {
    out += static_cast<char>((text.size() >> shift) & 0xFF);
  }
  return out + text;
}

/// Checks the frames of `input`: whole, split at every byte, and byte by byte.
inline void expect(const std::string& input, const Told& wanted, std::size_t limit = kLimit,
                   const RequestEnd& request_end = kNoRequestEnd) {
  CAPTURE(input);
  CHECK(read_pieces({input}, limit, request_end) == wanted);
  CHECK(read_pieces(single_bytes(input), limit, request_end) == wanted);
  for (std::size_t at = 1; at < input.size(); ++at) {
    CAPTURE(at);
    CHECK(read_pieces({input.substr(0, at), input.substr(at)}, limit, request_end) == wanted);
  }
}

}  // namespace sluice::protocol
