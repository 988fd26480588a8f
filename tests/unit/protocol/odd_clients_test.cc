// What clients send beside requests: ends of their own, other protocols, lengths of other dialects.
#include <string>
#include <string_view>

#include "catch.h"
#include "frame_pieces.h"
#include "protocol/frame_hint.h"
#include "protocol/request_end.h"

namespace sluice::protocol {
namespace {

using namespace std::string_literals;

/// The frames with "##" as request_end.
void expect_with_end(const std::string& input, const Told& wanted, std::string_view end = "##",
                     std::size_t limit = kLimit) {
  expect(input, wanted, limit, RequestEnd(end));
}

/// The detail of the fault at which the input leaves a reader, or that its end is.
std::string last_detail(const std::string& input, std::size_t limit = kLimit) {
  SpareBlocks spare;
  FrameReader reader(limit, spare);
  reader.feed(input);
  std::string detail;
  Frame frame = reader.next();
  for (; frame.kind != Frame::Kind::NeedMore; frame = reader.next()) {
    detail = frame.detail;
    if (frame.kind == Frame::Kind::Request) detail = reader.hint(frame.bytes);
  }
  frame = reader.finish();
  return frame.kind == Frame::Kind::Fault ? std::string(frame.detail) : detail;
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

std::string length(unsigned a, unsigned b, unsigned c, unsigned d) {
  return {static_cast<char>(a), static_cast<char>(b), static_cast<char>(c), static_cast<char>(d)};
}

/// A request of this size.
std::string object_of(std::size_t size) {
  return R"({"a":")" + std::string(size - 8, 'x') + "\"}";
}

}  // namespace

TEST_CASE("NULs between requests are white space, also beside newlines", "[odd_clients]") {
  expect("{}\0{}\0"s, {"request {}", "request {}"});
  expect("{}\0\0\n{}\r\n\0{} \0 "s, {"request {}", "request {}", "request {}"});
  expect("\n\0{}"s, {"request {}"});
}

TEST_CASE("a NUL ends what is skipped after an invalid byte", "[odd_clients]") {
  expect("{}ping\0{}\0"s, {"request {}", "bad_request ", "request {}"});
  expect("{}x\0{}G\0{}"s,
         {"request {}", "bad_request ", "request {}", "bad_request ", "request {}"});
  expect("{}a\0b\n{}"s, {"request {}", "bad_request ", "bad_request ", "request {}"});
  expect("word\0{}"s, {"bad_request ", "request {}"});
}

TEST_CASE("a NUL within a request is no end of it", "[odd_clients]") {
  expect("{\"a\":\"\0\"}{}"s, {"request {\"a\":\"\0\"}"s, "request {}"});
}

TEST_CASE("request_end between requests is white space, however it is split", "[odd_clients]") {
  expect_with_end("{}##{}##", {"request {}", "request {}"});
  expect_with_end("##{}####{}##\n##{} ## \0##{}"s,
                  {"request {}", "request {}", "request {}", "request {}"});
  expect_with_end(R"({"a":"##"}##{})", {R"(request {"a":"##"})", "request {}"});
  expect_with_end("{}END\r\n{}END\r\n", {"request {}", "request {}"}, "END\r\n");
  expect_with_end("{}0123456789abcdef{}", {"request {}", "request {}"}, "0123456789abcdef");
  expect_with_end("\x1E{}\n\x1E{}\n", {"request {}", "request {}"}, "\x1E");
}

TEST_CASE("a request_end that is not whole is garbage", "[odd_clients]") {
  expect_with_end("{}#{}\n{}", {"request {}", "bad_request ", "request {}"});
  expect_with_end("{}###{}\n{}", {"request {}", "bad_request ", "request {}"});
  expect_with_end("{}#\n{}", {"request {}", "bad_request ", "request {}"});
}

TEST_CASE("request_end ends what is skipped after an invalid byte", "[odd_clients]") {
  expect_with_end("{}ping##{}##", {"request {}", "bad_request ", "request {}"});
  expect_with_end("{}p#i#n##{}", {"request {}", "bad_request ", "request {}"});
  expect_with_end("{}POS##{}", {"request {}", "bad_request ", "request {}"});
  expect_with_end("{}#x##{}", {"request {}", "bad_request ", "request {}"});
  expect_with_end("{}x\n{}x\0{}"s,
                  {"request {}", "bad_request ", "request {}", "bad_request ", "request {}"});
}

TEST_CASE("a request_end that repeats itself is found at its first place", "[odd_clients]") {
  expect_with_end("xaaab{}", {"bad_request ", "request {}"}, "aab");
  expect_with_end("aaab{}", {"bad_request ", "request {}"}, "aab");
  expect_with_end("xabababc{}", {"bad_request ", "request {}"}, "ababc");
  expect_with_end("abababc{}", {"bad_request ", "request {}"}, "ababc");
}

TEST_CASE("white space around request_end is no part of it", "[odd_clients]") {
  CHECK(RequestEnd(" \r\n## \t").text() == "##");
  CHECK(RequestEnd("# #").text() == "# #");
  CHECK_FALSE(RequestEnd(" \n").is_set());
  expect_with_end("{}\n##\n{}##{}", {"request {}", "request {}", "request {}"}, "\n##\n");
}

TEST_CASE("a request_end that begins like a method or a byte order mark is one all the same",
          "[odd_clients]") {
  expect_with_end("{}GETEND{}GET / HTTP/1.1\r\n", {"request {}", "request {}", "http"}, "GETEND");
  expect_with_end("\xEF\xBC\x83{}\xEF\xBC\x83{}", {"request {}", "request {}"}, "\xEF\xBC\x83");
  expect_with_end("\xEF\xBB\xBF{}", {"request {}"}, "\xEF\xBC\x83");
}

TEST_CASE("another request_end counts from the next byte on", "[odd_clients]") {
  SpareBlocks spare;
  RequestEnd end("0123456789");
  FrameReader reader(kLimit, spare, end);
  Told told;
  reader.feed("{}x01234567");
  drain(reader, told);
  end = RequestEnd("##");
  reader.feed("89##{}##");
  drain(reader, told);
  end = RequestEnd();
  reader.feed("{}#\n{}");
  drain(reader, told);
  CHECK(told == Told{"request {}", "bad_request ", "request {}", "request {}", "bad_request ",
                     "request {}"});
}

TEST_CASE("the fault says what ends the skipping", "[odd_clients]") {
  CHECK(has(last_detail("x"), "got 'x'; skipping to the next newline or NUL"));
  SpareBlocks spare;
  const RequestEnd end("##");
  FrameReader reader(kLimit, spare, end);
  reader.feed("x");
  CHECK(has(std::string(reader.next().detail), "to the next newline, NUL or request_end"));
}

TEST_CASE("a reader says what is skipped, and that something else has begun", "[odd_clients]") {
  SpareBlocks spare;
  FrameReader reader(10, spare);
  const auto after = [&reader](std::string_view input) {
    reader.feed(input);
    Told told;
    drain(reader, told);
    reader.save();
    return reader.is_skipping();
  };
  CHECK(after("x"));
  const auto garbage = reader.begun();
  CHECK(after("yz"));
  CHECK(reader.begun() == garbage);
  CHECK(after("\n{\"a\":\"012345"));  // too large
  const auto object = reader.begun();
  CHECK(object != garbage);
  CHECK(after("789"));
  CHECK(reader.begun() == object);
  CHECK_FALSE(after("\"}"));
  CHECK_FALSE(after("{"));
  CHECK(reader.begun() != object);
}

TEST_CASE("an HTTP request ends the connection, and the first thing is told from later ones",
          "[odd_clients]") {
  for (const std::string method :
       {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "PRI"}) {
    CAPTURE(method);
    expect(method + " / HTTP/1.1\r\nHost: x\r\n\r\n{}", {"http first"});
  }
  expect("\r\n\0 GET / HTTP/1.1\r\n{}"s, {"http first"});
  expect("Host: localhost\r\n{}", {"http first"});
  expect("hOST:\n{}", {"http first"});
  expect("{} \nPOST / HTTP/1.1\r\n{}", {"request {}", "http"});
  expect("garbage\nHOST: x\n{}", {"bad_request ", "http"});
  expect("x\0GET / HTTP/1.1\n{}"s, {"bad_request ", "http"});
  expect_with_end("##GET / HTTP/1.1\r\n{}", {"http first"});
  expect_with_end("{}##POST / HTTP/1.1\r\n\r\n##{}", {"request {}", "http"});
}

TEST_CASE("a request read in one pass counts as something before HTTP", "[odd_clients]") {
  SpareBlocks spare;
  FrameReader reader(kLimit, spare);
  reader.feed("\n\n\n\n\n");
  CHECK(text_of(reader.next()) == "more");
  reader.save();
  reader.feed("{}GET / HTTP/1.1\r\n");
  REQUIRE(reader.ahead().starts_with("{}"));
  reader.consume(2);
  CHECK(text_of(reader.next()) == "http");
}

TEST_CASE("a TLS handshake ends the connection with a reply", "[odd_clients]") {
  expect("\x16\x03\x01\x02\0\x01\0{}\n{}"s, {"bad_request! "});
  expect("\x16\x03\x03\x02\0{}\n{}"s, {"bad_request! "});
  CHECK(has(last_detail("\x16\x03\x01\x02\0"s), "TLS handshake"));
  expect("\x16\n{}", {"bad_request ", "request {}"});
}

TEST_CASE("what follows a little-endian length is not served after the length was refused",
          "[odd_clients]") {
  const std::string object = object_of(91);
  for (const std::string& prefix :
       {length(91, 0, 0, 0), length(91, 1, 0, 0), length('G', 0, 0, 0), length('P', 0, 0, 0),
        length(0xEF, 0, 0, 0), length(0x16, 0, 0, 0), length(' ', 1, 0, 0), length(91, '\n', 0, 0),
        length(91, '{', 0, 0), length(91, 1, 1, 0), length(91, 2, 16, 0), length(' ', 1, 1, 0)}) {
    CAPTURE(prefix);
    expect(prefix + object + prefix + object, {"bad_request ", "bad_request! "});
    CHECK(has(last_detail(prefix + object), "big-endian"));
  }
  expect(length(91, '\n', 1, 0) + object, {"bad_request ", "bad_request ", "bad_request! "});
}

TEST_CASE("NULs behind garbage are taken for a length only where one would be", "[odd_clients]") {
  expect("x\0{}"s, {"bad_request ", "request {}"});
  expect("x\0\0{}"s, {"bad_request ", "request {}"});
  expect("x\0\0\0\0{}"s, {"bad_request ", "request {}"});
  expect("x\n\n\0{}"s, {"bad_request ", "request {}"});
  expect("xy\n\0{}"s, {"bad_request ", "request {}"});
  expect("xyz\0{}"s, {"bad_request ", "request {}"});
  expect("xy\r\0{}"s, {"bad_request ", "request {}"});
  expect("xy\x01\0\0{}"s, {"bad_request ", "request {}"});
  expect("x\0\0\0x\0{}"s, {"bad_request ", "bad_request ", "request {}"});
  expect("\n\n\0\0{}"s, {"request {}"});
  expect("{}x\0\0\0{}"s, {"request {}", "bad_request ", "request {}"});
}

TEST_CASE("requests read in one pass are no part of a connection's first bytes", "[odd_clients]") {
  SpareBlocks spare;
  FrameReader reader(kLimit, spare);
  Told told;
  for (const std::string& piece : {"\n"s, "\n\n\n\n"s, "{}x\0"s, "\0\0{}"s}) {
    reader.feed(piece);
    if (reader.ahead().starts_with("{}")) {
      reader.consume(2);
      told.emplace_back("consumed");
    }
    drain(reader, told);
    reader.save();
  }
  CHECK(told == Told{"consumed", "bad_request ", "consumed"});
}

TEST_CASE("a little-endian length that begins with a brace or with 0 is named at the end",
          "[odd_clients]") {
  CHECK(has(last_detail(length('{', 0, 0, 0) + object_of(123)), "big-endian"));
  CHECK(has(last_detail(length('{', 1, 0, 0) + object_of(379)), "big-endian"));
  CHECK(has(last_detail(length(0, 1, 0, 0) + object_of(256), 100000), "big-endian"));
  CHECK(has(last_detail(length(0, 1, 0, 0) + object_of(256)), "big-endian"));  // too large
  CHECK(has(last_detail(framed("{}") + length(91, 0, 0, 0) + object_of(91)), "big-endian"));
  CHECK_FALSE(has(last_detail("{\"a\":1"), "big-endian"));
  CHECK_FALSE(has(last_detail(length(0, 0, 3, 0) + object_of(256)), "big-endian"));
}

TEST_CASE("a length that counts itself is named", "[odd_clients]") {
  const auto counted = [](std::size_t size) {
    return length(0, 0, 0, static_cast<unsigned>(size + 4)) + object_of(size);
  };
  CHECK(has(last_detail(counted(91)), "count its own 4 bytes"));
  CHECK(has(last_detail((counted(91) + counted(91)).substr(0, 99)), "count its own 4 bytes"));
  CHECK(has(last_detail(counted(91) + counted(91)), "left out"));
  CHECK_FALSE(has(last_detail(framed(object_of(91))), "count its own"));
  CHECK_FALSE(has(last_detail(framed(object_of(91) + "\0\0\0\0"s)), "count its own"));
  CHECK_FALSE(has(last_detail(framed(object_of(91)).substr(0, 90)), "count its own"));
}

TEST_CASE("an object behind a first byte 0, or behind a length of 2 bytes, is named",
          "[odd_clients]") {
  CHECK(has(last_detail("\0{\"device_id\":1}"s), "first byte 0"));
  CHECK(has(last_detail("\0{\"device_id\":1}"s, 16000000), "first byte 0"));
  CHECK(has(last_detail("\0\x5B{\"device_id\":1}"s), "2 bytes"));
  CHECK(has(last_detail("\0\x5B{\"device_id\":1}"s, 16000000), "2 bytes"));
  CHECK(has(last_detail(framed("{}") + object_of(91)), "this is an object"));
  CHECK(last_detail(length(0, 0xFF, 0xFF, 0xFF)) == "length: expected at most 1000, got 16777215");
}

TEST_CASE("a faulty request whose length is as it should be gets no hint", "[odd_clients]") {
  CHECK(hint_of_body(0x007B0000, "x").data() != nullptr);
  CHECK(hint_of_body(2, "{}").empty());
  CHECK(hint_of_body(0x007B4141, "{\"a\":").empty());
  CHECK(hint_of_length(0x7FFFFFFF, 1048576).empty());
}

}  // namespace sluice::protocol
