// Quoting, base64, UTF-8 and the strict JSON reader of the client library.
#include "sdk/json.h"

#include <string>

#include "catch.h"

using namespace sluice::sdk;
using namespace std::string_literals;

namespace {

std::string quoted(std::string_view text) {
  std::string out;
  append_quoted(out, text);
  return out;
}

}  // namespace

TEST_CASE("quoting escapes what JSON forbids in a string and nothing else", "[sdk]") {
  CHECK(quoted("") == R"("")");
  CHECK(quoted(R"(a"b\c/d)") == R"("a\"b\\c/d")");
  CHECK(quoted("\n\r\t\x01\x1f\0"s) == R"("\u000a\u000d\u0009\u0001\u001f\u0000")");
  CHECK(quoted("\x7f 消息 😀") == "\"\x7f 消息 😀\"");
}

TEST_CASE("a quoted string reads back as it was, for every byte below 128", "[sdk]") {
  std::string all;
  for (int c = 0; c < 128; ++c)
    all.push_back(static_cast<char>(c));
  const std::string text = quoted(all);
  std::string back;
  JsonCursor reader(text);
  REQUIRE(reader.read_string(back));
  CHECK(back == all);
  CHECK(reader.is_at_end());
}

TEST_CASE("base64 is the one of RFC 4648, with its own test vectors", "[sdk]") {
  CHECK(to_base64("").empty());
  CHECK(to_base64("f") == "Zg==");
  CHECK(to_base64("fo") == "Zm8=");
  CHECK(to_base64("foo") == "Zm9v");
  CHECK(to_base64("foobar") == "Zm9vYmFy");
  CHECK(to_base64("\xff\xfe\xfb\x00"s) == "//77AA==");
}

TEST_CASE("UTF-8 is taken strictly", "[sdk]") {
  CHECK(is_utf8(""));
  CHECK(is_utf8("a é 消 😀 \xed\x9f\xbf \xee\x80\x80 \xf4\x8f\xbf\xbf"));
  for (const auto* wrong : {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80",
                            "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff",
                            "\xc3", "\xe6\xb6", "\xf0\x9f\x98", "\xc3(", "a\xe6\xb6z"}) {
    CAPTURE(quoted(wrong));
    CHECK_FALSE(is_utf8(wrong));
  }
}

TEST_CASE("exactly the texts of RFC 8259 are JSON values", "[sdk]") {
  for (const auto* right :
       {"0", "-0", "12.50e+3", "1E9", "\"\"", R"("\u00e9\ud83d\ude00\/")", "true", "false", "null",
        "{}", "[]", " [ 1 , {\"a\" : [ ] } ] ", "{\"a\":{}}", "[[],[{}]]", "\n1\t"}) {
    CAPTURE(right);
    CHECK(is_json_value(right));
  }
  for (const auto* wrong :
       {"",         " ",         "1 2",         "01",          "1.",
        ".5",       "+1",        "1e",          "-",           "nul",
        "truex",    "{",         "}",           "[",           "]",
        "[1,]",     "[,1]",      "[1 2]",       "{\"a\"",      "{\"a\"}",
        "{\"a\":}", "{\"a\": }", "{,}",         "{1:2}",       "{\"a\":1,}",
        "[}",       "{]",        "[1}",         "\"",          "\"\\\"",
        "\"\\x\"",  "\"\\u12\"", "\"\\ud800\"", "\"\\udc00\"", "\"\\ud800\\u0041\"",
        "\"\n\"",   "\"\xff\"",  "1}{\"b\":2",  "{}{}",        "'a'",
        "NaN"}) {
    CAPTURE(wrong);
    CHECK_FALSE(is_json_value(wrong));
  }
  CHECK_FALSE(is_json_value("1\0"s));
}

TEST_CASE("a million brackets cost no stack", "[sdk]") {
  const std::string open(1'000'000, '[');
  CHECK_FALSE(is_json_value(open));
  CHECK(is_json_value(open + std::string(1'000'000, ']')));
}

TEST_CASE("integers are read where they fit 64 bits and are integers", "[sdk]") {
  const auto read = [](std::string_view text) {
    std::int64_t number = 0;
    JsonCursor reader(text);
    return reader.read_integer(number) ? std::to_string(number) : "no";
  };
  CHECK(read("9223372036854775807") == "9223372036854775807");
  CHECK(read("-9223372036854775808") == "-9223372036854775808");
  CHECK(read("9223372036854775808") == "no");
  CHECK(read("1.0") == "no");
  CHECK(read("1e2") == "no");
  CHECK(read("\"1\"") == "no");
}
