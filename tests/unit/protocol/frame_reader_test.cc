// The frame reader: both framings, in pieces of every kind, and what follows each kind of garbage.
#include "protocol/frame_reader.h"

#include <random>
#include <string>
#include <vector>

#include "catch.h"
#include "frame_pieces.h"

using sluice::protocol::drain;
using sluice::protocol::expect;
using sluice::protocol::Frame;
using sluice::protocol::framed;
using sluice::protocol::FrameReader;
using sluice::protocol::Framing;
using sluice::protocol::kLimit;
using sluice::protocol::read_pieces;
using sluice::protocol::read_whole;
using sluice::protocol::SpareBlocks;
using sluice::protocol::text_of;
using sluice::protocol::Told;

TEST_CASE("a request split anywhere is found once", "[frame_reader]") {
  expect(R"({"a":1})", {R"(request {"a":1})"});
  expect(R"({"a":{"b":[{},{}]},"c":"}{"})", {R"(request {"a":{"b":[{},{}]},"c":"}{"})"});
}

TEST_CASE("braces, quotes and escapes inside strings end nothing", "[frame_reader]") {
  expect(R"({"a":"\"}"}{"b":"\\"}{"c":"\\\"}"})",
         {R"(request {"a":"\"}"})", R"(request {"b":"\\"})", R"(request {"c":"\\\"}"})"});
  expect(
      R"({"a":"a string that is longer than sixteen bytes \" } and another sixteen {"}{})",
      {R"(request {"a":"a string that is longer than sixteen bytes \" } and another sixteen {"})",
       "request {}"});
}

TEST_CASE("requests may be glued or have white space and newlines between them", "[frame_reader]") {
  expect("{}{\"a\":1} \t\r\n\n {}\n", {"request {}", "request {\"a\":1}", "request {}"});
  expect("{\n \"a\" : 1\n}\n", {"request {\n \"a\" : 1\n}"});
}

TEST_CASE("a byte order mark at the very beginning is skipped, and only there", "[frame_reader]") {
  expect("\xEF\xBB\xBF{}", {"request {}"});
  expect("\xEF\xBB\xBF \n{}", {"request {}"});
  expect("{}\xEF\xBB\xBF{}\n{}", {"request {}", "bad_request ", "request {}"});
  expect("\xEF\xBB\xBF\xEF\xBB\xBF{}\n{}", {"bad_request ", "request {}"});
  expect("\xEF\xBB{}\n{}", {"bad_request ", "request {}"});
  expect("\xEF\n{}", {"bad_request ", "request {}"});
}

TEST_CASE("a line of garbage is answered once and skipped up to its newline", "[frame_reader]") {
  expect("hello {\"a\":1} world\n{}", {"bad_request ", "request {}"});
  expect("x\ny\n{}", {"bad_request ", "bad_request ", "request {}"});
  expect("{}}\n{}", {"request {}", "bad_request ", "request {}"});
  expect("[1,2]\n{}", {"bad_request ", "request {}"});
  expect("{} ,{}\n{}", {"request {}", "bad_request ", "request {}"});
  expect("G\n{}", {"bad_request ", "request {}"});
  expect("GETX\n{}", {"bad_request ", "request {}"});
  expect("get / HTTP/1.1\n{}", {"bad_request ", "request {}"});
  expect("Hostess\n{}", {"bad_request ", "request {}"});
}

TEST_CASE("the fault names the byte that began no request", "[frame_reader]") {
  SpareBlocks spare;
  FrameReader reader(kLimit, spare);
  reader.feed("[1]\n\x01\n");
  CHECK(std::string(reader.next().detail).find("'['") != std::string::npos);
  CHECK(std::string(reader.next().detail).find("0x01") != std::string::npos);
}

TEST_CASE("nothing is read after the end of a connection", "[frame_reader]") {
  SpareBlocks spare;
  FrameReader reader(kLimit, spare);
  reader.feed("GET / HTTP/1.1\r\n{}{}");
  CHECK(text_of(reader.next()) == "http first");
  CHECK_FALSE(reader.has_input());
  CHECK(text_of(reader.next()) == "more");
  reader.save();
  CHECK(reader.buffered() == 0);
  CHECK(text_of(reader.finish()) == "more");
}

TEST_CASE("garbage without a newline ends the connection at the limit", "[frame_reader]") {
  expect(std::string(20, 'x') + "\n{}", {"bad_request ", "request {}"}, 21);
  expect(std::string(20, 'x') + "\n{}", {"bad_request ", "close"}, 20);
  expect(std::string(40, 'x') + "\n{}", {"bad_request ", "close"}, 20);
}

TEST_CASE("a raw newline inside a string ends the request as faulty", "[frame_reader]") {
  expect("{\"id\":7,\"a\":\"b\n{}", {"bad_request {\"id\":7,\"a\":\"b\n", "request {}"});
  expect("{\"a\":\"b\\\n{}", {"bad_request {\"a\":\"b\\\n", "request {}"});
  expect("{\"a\":{\"b\":\"\n{}", {"bad_request {\"a\":{\"b\":\"\n", "request {}"});
}

TEST_CASE("a request ends at its matching brace whatever is wrong inside", "[frame_reader]") {
  expect("{wrong{]}:}{}", {"request {wrong{]}:}", "request {}"});
  expect("{\"a\":'b'}\n{}", {"request {\"a\":'b'}", "request {}"});
}

TEST_CASE("a request of exactly the limit passes, one more byte does not", "[frame_reader]") {
  const std::string exact = R"({"a":")" + std::string(12, 'x') + R"("})";
  REQUIRE(exact.size() == 20);
  expect(exact + "{}", {"request " + exact, "request {}"}, 20);
  expect(exact + "{}", {"too_large " + exact.substr(0, 19), "request {}"}, 19);
}

TEST_CASE("the rest of a request that is too large is skipped with its strings", "[frame_reader]") {
  const std::string huge = R"({"id":"k","a":"}}\"}","b":{"c":"}"}, "d":"}"})";
  for (std::size_t limit = 2; limit < huge.size(); ++limit) {
    CAPTURE(limit);
    expect(huge + " {}", {"too_large " + huge.substr(0, limit), "request {}"}, limit);
  }
  expect("{\"a\":\"0123456789\n{}", {"too_large {\"a\":\"01", "request {}"}, 8);
}

TEST_CASE("memory does not grow while a request that is too large is skipped", "[frame_reader]") {
  SpareBlocks spare;
  FrameReader reader(kLimit, spare);
  const std::string piece(kLimit, 'x');
  reader.feed("{\"a\":\"");
  CHECK(text_of(reader.next()) == "more");
  reader.save();
  std::size_t faults = 0;
  for (int i = 0; i < 100; ++i) {
    reader.feed(piece);
    while (reader.next().kind != Frame::Kind::NeedMore)
      ++faults;
    reader.save();
    CHECK(reader.buffered() <= 2 * kLimit);
  }
  CHECK(faults == 1);
  CHECK(reader.buffered() == 0);
  CHECK_FALSE(reader.inside_request());
  reader.feed("\"}{}");
  CHECK(text_of(reader.next()) == "request {}");
}

TEST_CASE("a first byte of zero means length-prefixed frames", "[frame_reader]") {
  expect(framed("{}") + framed(R"({"a":1})"), {"request {}", R"(request {"a":1})"});
  expect(framed(" {} \n") + framed("no object"), {"request  {} \n", "request no object"});
  expect(framed("{}{}") + framed("{\"a\":\"\n\"}"), {"request {}{}", "request {\"a\":\"\n\"}"});
}

TEST_CASE("a frame of length zero is answered and the next one is read", "[frame_reader]") {
  expect(framed("") + framed("{}") + framed("") + framed("{}"),
         {"bad_request ", "request {}", "bad_request ", "request {}"});
}

TEST_CASE("a frame beyond the limit ends the connection", "[frame_reader]") {
  const std::string exact = R"({"a":"0123456789"})";
  expect(framed(exact) + framed("{}"), {"request " + exact, "request {}"}, exact.size());
  expect(framed(exact) + framed("{}"), {"too_large! "}, exact.size() - 1);
  expect(framed("{}") + "{}{}{}", {"request {}", "too_large! "});
}

TEST_CASE("the framing is decided by the first byte, for good", "[frame_reader]") {
  SpareBlocks spare;
  FrameReader reader(kLimit, spare);
  CHECK(reader.framing() == Framing::Unknown);
  reader.feed(std::string_view("\0", 1));
  CHECK(text_of(reader.next()) == "more");
  CHECK(reader.framing() == Framing::LengthPrefixed);
  FrameReader stream(kLimit, spare);
  stream.feed("\n");
  CHECK(text_of(stream.next()) == "more");
  CHECK(stream.framing() == Framing::Stream);
  stream.feed(std::string_view("\0\0\0\2{}\n{}", 9));
  CHECK(text_of(stream.next()) == "bad_request ");
  CHECK(text_of(stream.next()) == "request {}");
}

TEST_CASE("random streams in random pieces tell the same as whole ones", "[frame_reader]") {
  std::mt19937 random(20240229);
  const auto pick = [&random](std::size_t n) {
    return std::uniform_int_distribution<std::size_t>(0, n - 1)(random);
  };
  const std::vector<std::string> parts = {"{}",
                                          R"({"a":"b"})",
                                          R"({"a":{"b":"}\\"}})",
                                          "\n",
                                          " ",
                                          "garbage\n",
                                          "GE",
                                          "\xEF",
                                          "{\"a\":\"\n",
                                          "Hos",
                                          "{broken",
                                          "}}}",
                                          "\"",
                                          "\\"};
  for (int round = 0; round < 300; ++round) {
    std::string input;
    for (std::size_t n = pick(30); n > 0; --n)
      input += parts[pick(parts.size())];
    const auto wanted = read_whole(input, 24);
    std::vector<std::string> pieces;
    for (std::size_t at = 0; at < input.size();) {
      const std::size_t size = 1 + pick(9);
      pieces.push_back(input.substr(at, size));
      at += size;
    }
    CAPTURE(input);
    CHECK(read_pieces(pieces, 24) == wanted);
  }
}

TEST_CASE("what a paused caller has not scanned is kept and comes first", "[frame_reader]") {
  SpareBlocks spare;
  FrameReader reader(kLimit, spare);
  std::string input = R"({"n":1}{"n":2}{"n":3}{"n")";
  reader.feed(input);
  CHECK(text_of(reader.next()) == R"(request {"n":1})");
  CHECK(reader.has_input());
  reader.save();
  input.assign(input.size(), '#');
  CHECK(reader.has_input());
  CHECK(text_of(reader.next()) == R"(request {"n":2})");
  reader.save();
  reader.feed(R"(:4}{"n":5})");
  CHECK(text_of(reader.next()) == R"(request {"n":3})");
  CHECK(text_of(reader.next()) == R"(request {"n":4})");
  CHECK(text_of(reader.next()) == R"(request {"n":5})");
  CHECK_FALSE(reader.has_input());
  CHECK(text_of(reader.next()) == "more");
}

TEST_CASE("a request that lies whole in the input is not copied", "[frame_reader]") {
  SpareBlocks spare;
  FrameReader reader(kLimit, spare);
  const std::string input = " {} {\"a\":1}";
  reader.feed(input);
  CHECK(reader.next().bytes.data() == input.data() + 1);
  CHECK(reader.next().bytes.data() == input.data() + 4);
  CHECK(reader.buffered() == 0);
}

TEST_CASE("a large request's buffer is given back, a small one is kept", "[frame_reader]") {
  SpareBlocks spare;
  FrameReader reader(1 << 20, spare);
  const std::string large = R"({"a":")" + std::string(100000, 'x') + R"("})";
  reader.feed(std::string_view(large).substr(0, 60000));
  CHECK(text_of(reader.next()) == "more");
  reader.save();
  CHECK(reader.buffered() >= 60000);
  CHECK(reader.inside_request());
  reader.feed(std::string_view(large).substr(60000));
  CHECK(reader.next().bytes == large);
  CHECK(text_of(reader.next()) == "more");
  CHECK(reader.buffered() == 0);
}

TEST_CASE("a reader says whether it is inside a request", "[frame_reader]") {
  SpareBlocks spare;
  FrameReader reader(10, spare);
  CHECK_FALSE(reader.inside_request());
  const auto after = [&reader](std::string_view input) {
    reader.feed(input);
    while (reader.next().kind != Frame::Kind::NeedMore) {
    }
    reader.save();
    return reader.inside_request();
  };
  CHECK_FALSE(after("  \n"));
  CHECK(after("{"));
  CHECK_FALSE(after("}"));
  CHECK_FALSE(after("xyz"));
  CHECK_FALSE(after("\n"));
  CHECK(after("GE"));  // not answered yet
  CHECK_FALSE(after("\n"));
  CHECK_FALSE(after("{\"a\":\"0123456789"));  // answered: too large
  FrameReader prefixed(10, spare);
  prefixed.feed(std::string_view("\0", 1));
  CHECK(text_of(prefixed.next()) == "more");
  CHECK(prefixed.inside_request());
}

TEST_CASE("a connection that ends inside a request gets a fault", "[frame_reader]") {
  const auto end_of = [](const std::string& input, std::size_t limit = kLimit) {
    SpareBlocks spare;
    FrameReader reader(limit, spare);
    Told before;
    reader.feed(input);
    drain(reader, before);
    std::string direct = text_of(reader.finish());
    FrameReader saved(limit, spare);
    saved.feed(input);
    drain(saved, before);
    saved.save();
    CHECK(text_of(saved.finish()) == direct);
    return direct;
  };
  CHECK(end_of("") == "more");
  CHECK(end_of("{}\n") == "more");
  CHECK(end_of("{}{\"id\":7,") == "bad_request {\"id\":7,");
  CHECK(end_of("GET") == "bad_request ");
  CHECK(end_of("garbage") == "more");
  CHECK(end_of("\xEF\xBB") == "bad_request ");
  CHECK(end_of("\xEF\xBB\xBF") == "more");
  CHECK(end_of(R"({"a":"0123456789)", 8) == "more");
  CHECK(end_of(framed("{}")) == "more");
  CHECK(end_of(std::string(2, '\0')) == "bad_request ");
  CHECK(end_of(framed("{}").substr(0, 5)) == "bad_request {");
}

TEST_CASE("a new limit counts for the request under way", "[frame_reader]") {
  SpareBlocks spare;
  FrameReader reader(kLimit, spare);
  reader.feed(R"({"a":"0123456789)");
  CHECK(text_of(reader.next()) == "more");
  reader.save();
  reader.set_max_request_bytes(8);
  reader.feed("0\"}{}");
  CHECK(text_of(reader.next()) == R"(too_large {"a":"0123456789)");
  CHECK(text_of(reader.next()) == "request {}");
}
