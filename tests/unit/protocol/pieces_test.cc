// The frame reader's short way for tiny pieces: it must tell exactly what one large piece tells.
#include <algorithm>
#include <cstddef>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "catch.h"
#include "fast_path_frame.h"
#include "protocol/frame_reader.h"

using sluice::protocol::Frame;
using sluice::protocol::FrameReader;
using sluice::protocol::RequestEnd;
using sluice::protocol::SpareBlocks;

namespace {

constexpr std::size_t kLimit = 100;

/// All that a frame says, in one line.
std::string text_of(const Frame& frame) {
  std::string out = std::to_string(static_cast<int>(frame.kind)) + ' ' +
                    std::to_string(static_cast<int>(frame.error));
  out += frame.ends_connection ? " ends " : " goes on ";
  out += frame.is_first ? "first " : "";
  out += frame.detail;
  out += " | ";
  out += frame.bytes;
  return out;
}

Frame next(FrameReader& reader) {
  return reader.next();
}

/// The frames of `stream`, fed in pieces of the sizes that `next_size` gives from memory that is
/// then overwritten, and that of finish(). `next_frame` reads them.
template <class NextSize>
std::vector<std::string> read(std::string_view stream, NextSize next_size,
                              Frame (*next_frame)(FrameReader&) = next) {
  SpareBlocks spare;
  const RequestEnd request_end("##");
  FrameReader reader(kLimit, spare, request_end);
  std::vector<std::string> out;
  bool is_ended = false;
  while (!stream.empty()) {
    std::string piece(stream.substr(0, next_size()));
    stream.remove_prefix(piece.size());
    reader.feed(piece);
    CHECK(reader.has_input() != is_ended);
    for (Frame frame = next_frame(reader); frame.kind != Frame::Kind::NeedMore;
         frame = next_frame(reader)) {
      is_ended = is_ended || frame.ends_connection || frame.kind == Frame::Kind::Http ||
                 frame.kind == Frame::Kind::Close;
      out.push_back(text_of(frame));
    }
    CHECK_FALSE(reader.has_input());
    reader.save();
    CHECK(reader.buffered() <= kLimit);
    std::fill(piece.begin(), piece.end(), '}');
  }
  out.push_back(reader.inside_request() ? "inside" : "outside");
  out.push_back(text_of(reader.finish()));
  return out;
}

std::string framed(std::string_view text) {
  std::string out(3, '\0');
  out += static_cast<char>(text.size());
  out += text;
  return out;
}

std::vector<std::string> corpus() {
  const std::string good =
      R"({"device_id": 1001, "mqtt_topic": "dev/1001/cmd", "message": "open {\"a\\\\\"} now"})";
  const std::string flat = R"({"device_id": 1, "mqtt_topic": "dev/1", "message": "open"})";
  const std::string zero(1, '\0');
  const std::string nested = R"({"a":{"b":[{},{"c":"}{"}]},"d":"\\"})";
  const std::string huge = R"({"id":7,"message":")" + std::string(150, 'x') + R"(\"}", "b":{}})";
  const std::string exact = R"({"a":")" + std::string(kLimit - 8, 'y') + R"("})";
  return {
      good,
      good + good + nested + "{}{}" + good,
      good + "\r\n \t" + nested + "\n\n" + good + "\n",
      "garbage {\n" + good + "[1,2]\n" + nested + ",\n{}",
      good + std::string(150, 'x') + "\n" + good,
      std::string(20, 'x') + "\n" + good + "\x01\n{}",
      huge + good + huge + nested,
      exact + good + exact + "{}" + exact.substr(0, 50) + "z" + exact.substr(50) + good,
      "{\"id\":1,\"a\":\"b\nc\"}\n" + good + "{\"a\":\"\\\n{}",
      framed(good) + framed(nested) + framed("{}") + framed("") + framed("\"}{\n\\") + framed(good),
      framed(good) + framed(std::string(kLimit, '{')) + framed(huge) + framed(good),
      framed(good) + framed(nested).substr(0, 20),
      "\xEF\xBB\xBF" + good + nested + "\xEF\xBB\xBF{}\n" + good,
      "\xEF\xBB" + good + "\n" + nested,
      "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" + good,
      good + "\nPOST /send HTTP/1.1\r\n" + good,
      good + "GETAWAY\nhost\n" + nested + "Host: x\n" + good,
      good + good.substr(0, 60),
      flat + flat + "\r\n" + nested + flat + flat.substr(0, 30),
      framed(flat) + framed(flat),
      "x\n" + flat + exact + flat + huge + flat,
      good + huge.substr(0, 130),
      flat + "##" + flat + "##" + nested + "#" + good + "\n" + flat + "ping##" + flat + "##",
      flat + zero + flat + zero + zero + "\n" + nested + "ping" + zero + flat + zero,
      "##" + flat + "\n##" + flat + "####" + huge + "##" + flat + "##GET / HTTP/1.1\r\n" + flat,
      "[" + zero + zero + zero + flat + flat,
      "[" + zero + zero + flat + flat,
      " \n" + flat + "x" + zero + zero + zero + flat,
      "\r\n##POST / HTTP/1.1\r\n\r\n" + flat,
  };
}

}  // namespace

TEST_CASE("pieces of every small size tell the same as the whole", "[frame_reader]") {
  for (const std::string& stream : corpus()) {
    CAPTURE(stream);
    const auto whole = read(stream, [&stream] { return stream.size(); });
    for (std::size_t size = 1; size <= 8; ++size) {
      CAPTURE(size);
      CHECK(read(stream, [size] { return size; }) == whole);
    }
  }
}

TEST_CASE("requests that the fast path reads are the same frames", "[frame_reader]") {
  for (const std::string& stream : corpus()) {
    CAPTURE(stream);
    const auto whole = [&stream] { return stream.size(); };
    CHECK(read(stream, whole, sluice::next_with_fast_path) == read(stream, whole));
  }
}

TEST_CASE("pieces of random sizes tell the same as the whole", "[frame_reader]") {
  std::mt19937 random(20240301);
  for (const std::string& stream : corpus()) {
    CAPTURE(stream);
    const auto whole = read(stream, [&stream] { return stream.size(); });
    for (const std::size_t largest : {3U, 12U, 33U, 70U}) {
      for (int round = 0; round < 20; ++round) {
        std::uniform_int_distribution<std::size_t> sizes(1, largest);
        CHECK(read(stream, [&] { return sizes(random); }) == whole);
        CHECK(read(
                  stream, [&] { return sizes(random); }, sluice::next_with_fast_path) == whole);
      }
    }
  }
}

TEST_CASE("a limit that is lowered between single bytes counts from the next byte on",
          "[frame_reader]") {
  SpareBlocks spare;
  FrameReader reader(kLimit, spare);
  const std::string request = R"({"a":"0123456789"})";
  for (const char byte : request.substr(0, 12)) {
    reader.feed({&byte, 1});
    CHECK(reader.next().kind == Frame::Kind::NeedMore);
    reader.save();
  }
  reader.set_max_request_bytes(8);
  reader.feed("6");
  const Frame frame = reader.next();
  CHECK(frame.kind == Frame::Kind::Fault);
  CHECK(frame.bytes == request.substr(0, 12));
}

TEST_CASE("a limit that is lowered before a byte is scanned counts for that byte",
          "[frame_reader]") {
  SpareBlocks spare;
  FrameReader reader(kLimit, spare);
  reader.feed(R"({"a":"01)");
  CHECK(reader.next().kind == Frame::Kind::NeedMore);
  reader.save();
  reader.feed("2345");
  reader.set_max_request_bytes(10);
  CHECK(reader.has_input());
  const Frame frame = reader.next();
  CHECK(frame.kind == Frame::Kind::Fault);
  CHECK(frame.bytes == R"({"a":"0123)");
}

TEST_CASE("single bytes that are saved before they are scanned keep their order",
          "[frame_reader]") {
  SpareBlocks spare;
  FrameReader reader(kLimit, spare);
  reader.feed(R"({"a":")");
  CHECK(reader.next().kind == Frame::Kind::NeedMore);
  for (const std::string_view byte : {"x", "y", "\"", "}", "{", "}"}) {
    reader.save();
    reader.feed(byte);
    CHECK(reader.has_input());
  }
  CHECK(reader.next().bytes == R"({"a":"xy"})");
  CHECK(reader.next().bytes == "{}");
  CHECK(reader.next().kind == Frame::Kind::NeedMore);
}

TEST_CASE("what was consumed does not stay in front of a request that grows", "[frame_reader]") {
  SpareBlocks spare;
  FrameReader reader(kLimit, spare);
  const std::string first = R"({"a":")" + std::string(40, 'x') + "\"}";
  const std::string second = R"({"b":")" + std::string(45, 'y');
  const std::string both = first + second;
  reader.feed(both);
  reader.save();
  CHECK(reader.next().bytes == first);
  CHECK(reader.next().kind == Frame::Kind::NeedMore);
  for (std::size_t size = second.size(); size < kLimit; ++size) {
    reader.save();
    CHECK(reader.buffered() == size);
    reader.feed("z");
    CHECK(reader.next().kind == Frame::Kind::NeedMore);
  }
}

// Found by fuzz-frame-reader: input scanned only after save() kept its consumed bytes.
TEST_CASE("no more than the limit is held where pieces are saved before they are scanned",
          "[frame_reader]") {
  constexpr std::size_t kSmallLimit = 48;
  const std::string stream =
      "\xD5\xD5\xD5\xD5\xD5?}oh\n\r{" + std::string(52, '@') + std::string("\0\0\0\xAAt", 5);
  SpareBlocks spare;
  FrameReader reader(kSmallLimit, spare);
  std::string_view rest = stream;
  for (std::size_t turn = 1; !rest.empty(); ++turn) {
    const std::string piece(rest.substr(0, 1 + (turn - 1) % 7));
    rest.remove_prefix(piece.size());
    reader.feed(piece);
    if (turn % 5 == 0) reader.save();
    while (reader.next().kind != Frame::Kind::NeedMore) {
    }
    reader.save();
    CHECK(reader.buffered() <= kSmallLimit);
  }
}
