// Which requests are read without the JSON parser, and that both ways give the same result.
#include "protocol/fast_path.h"

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "allocations.h"
#include "catch.h"
#include "decoded_text.h"
#include "decoder_fixture.h"

using namespace sluice;
using namespace sluice::protocol;
using namespace sluice::decoder_fixture;

namespace {

std::size_t fast_path_size(std::string_view text) {
  constexpr DecodeSettings kSettings;
  Members members;
  members.prepare(text, kSettings.max_timeout_ms);
  return read_fast_path(text, members);
}

/// Whether all of `text` is read without the JSON parser; if so, checks that the parser's result is
/// the same.
bool takes_fast_path(std::string_view text) {
  const bool is_taken = fast_path_size(text) == text.size() && !text.empty();
  if (const auto escaped = with_escaped_name(text); escaped && is_taken) {
    CHECK(text_of(decode(text)) == text_of(decode(*escaped)));
  }
  return is_taken;
}

}  // namespace

TEST_CASE("a request of plain members in any order takes the fast path", "[fast_path]") {
  for (
      const std::string text : {
          R"({"device_id":1,"mqtt_topic":"t","message":"m"})",
          R"({"message":"m","mqtt_topic":"t","device_id":1})",
          R"({"token":"k","timeout_ms":5,"id":"i","message":"m","mqtt_topic":"t","device_id":1})",
          R"({"retain":true,"qos":0,"message":"m","mqtt_topic":"t","device_id":-9223372036854775})",
          R"({"id":-0,"device_id":"007","retain":false,"message":"","mqtt_topic":"t/t"})",
          R"({"device_id":1,"mqtt_topic":"设备/1","message":"打开 ü 😀","id":"ä"})",
          R"({"device_id":1,"mqtt_topic":"t","message":17})",
          R"({"device_id":1,"mqtt_topic":"t","message":true})",
          R"({"device_id":1,"mqtt_topic":"t","message":"bQ==","encoding":"base64"})",
          R"({"token":"k","id":1})",
      }) {
    CAPTURE(text);
    CHECK(takes_fast_path(text));
    CHECK_FALSE(std::holds_alternative<Fault>(decode(text)));
  }
  CHECK(takes_fast_path("{ \"device_id\" :\t1 ,\r\n\"mqtt_topic\" : \"t\" ,\"message\": \"m\" }"));
  CHECK(takes_fast_path(request_with(R"(,"id":")" + std::string(256, 'i') + '"')));
  CHECK(takes_fast_path(with_message(quoted(std::string(100000, 'x')))));
}

TEST_CASE("a request on the fast path ends with its brace, whatever follows it", "[fast_path]") {
  const std::string request = request_with(R"(,"id":"i")");
  for (const std::string rest :
       {"\n", " \r\n", "\n{\"device_id\":2", "}", "\"", "\\", "\xFF", "7"}) {
    CAPTURE(rest);
    CHECK(fast_path_size(request + rest) == request.size());
    Decoder decoder;
    std::size_t size = 0;
    CHECK(text_of(decoder.decode_fast_path(request + rest, size)) == text_of(decode(request)));
    CHECK(size == request.size());
  }
  CHECK(fast_path_size(" " + request) == 0);
  CHECK(fast_path_size(request + std::string(1, '\0')) == request.size());
}

TEST_CASE("a request that cannot take the fast path is not decoded before its end is found",
          "[fast_path]") {
  for (const std::string text : {R"({"device_id":1,"mqtt_topic":"t","message":{}})",
                                 R"({"device_id":1,"mqtt_topic":"t","mess)", "", "x"}) {
    CAPTURE(text);
    Decoder decoder;
    std::size_t size = 7;
    decoder.decode_fast_path(text, size);
    CHECK(size == 0);
  }
}

TEST_CASE("decoding on the fast path allocates the request alone", "[fast_path]") {
  // As in a frame with a length whose client sends lines.
  const std::string text = request_with(R"(,"id":"request-1234567890")") + "\r\n";
  const std::string escaped = request_with(R"(,"id":"request-123456789\u0030")");
  for (const bool is_flat : {true, false}) {
    Decoder decoder;
    take_allocations();
    const Decoded decoded = decoder.decode(is_flat ? text : escaped);
    const std::size_t taken = take_allocations().count;
    CHECK(std::holds_alternative<Request>(decoded));
    CHECK((taken == 1) == is_flat);
  }
}

TEST_CASE("a fault on the fast path is worded as the JSON parser's way words it", "[fast_path]") {
  for (const std::string more : {
           R"(,"qos":3)",
           R"(,"qos":"1")",
           R"(,"qos":18446744073709551616)",
           R"(,"retain":1)",
           R"(,"timeout_ms":0)",
           R"(,"timeout_ms":60001)",
           R"(,"timeout_ms":true)",
           R"(,"id":true)",
           R"(,"id":9223372036854775808)",
           R"(,"token":7)",
           R"(,"encoding":"base64")",
           R"(,"encoding":"Base64")",
           R"(,"properties":"x")",
           R"(,"message":"again")",
           R"(,"qos":1,"id":"i","qos":1)",
           R"(,"x":1,"y":true,"x":"z")",
           R"(,"":1,"":2)",
       }) {
    CAPTURE(more);
    CHECK(takes_fast_path(request_with(more)));
    bad(request_with(more));
  }
  for (const std::string topic : {"", "a/+", "#", "\x7F", "\xC2\x9F", "\xEF\xBF\xBF"}) {
    CHECK(takes_fast_path(with_topic(quoted(topic))));
    CHECK(bad(with_topic(quoted(topic))).detail.starts_with("mqtt_topic: "));
  }
  CHECK(takes_fast_path(with_topic(quoted(std::string(201, '/')))));
  CHECK(takes_fast_path(with_device("9223372036854775808")));
  CHECK(takes_fast_path(with_device(std::string(400, '9'))));
  CHECK(takes_fast_path(R"({"device_id":1,"mqtt_topic":"t"})"));
  CHECK(takes_fast_path(request_with(",\"id\":" + quoted(std::string(257, 'i')))));
}

TEST_CASE("escapes, containers, null and other numbers are left to the JSON parser",
          "[fast_path]") {
  for (const std::string more :
       {R"(,"token":"a\"b")", R"(,"token":"a\\")", R"(,"i\u0064":"i")", R"(,"x":{})", R"(,"x":[1])",
        R"(,"properties":{"content_type":"a"})", R"(,"x":null)", R"(,"x":1.5)", R"(,"x":-1e3)",
        R"(,"x":1E400)"}) {
    CAPTURE(more);
    CHECK_FALSE(takes_fast_path(request_with(more)));
    CHECK(good(request_with(more)).payload() == "m");
  }
}

TEST_CASE("what is not JSON is left to the JSON parser and refused", "[fast_path]") {
  const std::string whole = request_with(R"(,"retain":true,"qos":1)");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    CHECK_FALSE(takes_fast_path(whole.substr(0, size)));
    bad(whole.substr(0, size));
  }
  for (const std::string text :
       {"[]",           "7",           "\"{}\"",        "{}x",
        "{}{}",         "{}}",         "{,}",           "{\"a\"}",
        "{\"a\" 1}",    "{\"a\":}",    "{\"a\":1,}",    "{\"a\":1 \"b\":2}",
        "{a:1}",        "{'a':1}",     "{\"a\":01}",    "{\"a\":-}",
        "{\"a\":-01}",  "{\"a\":+1}",  "{\"a\":1-2}",   "{\"a\":.5}",
        "{\"a\":1.}",   "{\"a\":tru}", "{\"a\":truer}", "{\"a\":True}",
        "{\"a\":fals}", "{\"a\":\"b}", "{\"a\":\f1}",   "\xEF\xBB\xBF{}"}) {
    CAPTURE(text);
    CHECK_FALSE(takes_fast_path(text));
    bad(text);
  }
  CHECK_FALSE(takes_fast_path(whole + '\0'));
  CHECK_FALSE(takes_fast_path(std::string("{\"a\":1\0}", 8)));
}

TEST_CASE("a string that is no UTF-8 or holds a control character never takes the fast path",
          "[fast_path]") {
  for (const std::string bytes : {"\xFF", "\xC3", "\xC0\x80", "\xE0\x9F\xBF", "\xED\xA0\x80",
                                  "\xED\xBF\xBF", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\x80"}) {
    for (const std::size_t before : {0U, 7U, 8U, 20U}) {
      const std::string string = quoted(std::string(before, 'x') + bytes);
      CHECK_FALSE(takes_fast_path(with_message(string)));
      CHECK_FALSE(takes_fast_path("{" + string + ":1}"));
      CHECK_FALSE(takes_fast_path(request_with(",\"id\":" + string)));
    }
  }
  for (int control = 0; control < 0x20; ++control) {
    for (std::size_t at = 0; at < 40; ++at) {
      std::string message(40, 'x');
      message[at] = static_cast<char>(control);
      CHECK_FALSE(takes_fast_path(with_message(quoted(message))));
    }
  }
}

TEST_CASE("what the fast path read of a request that it gave up is not in the result",
          "[fast_path]") {
  const Request request =
      good(R"({"qos":2,"retain":true,"id":"i","token":"k","mqtt_topic":"a","message":"m",)"
           R"("device_id":1,"x":null})");
  CHECK(request.qos == 2);
  CHECK(request.id() == "\"i\"");
  CHECK(bad(R"({"id":"i","qos":3,"x":[})").detail.starts_with("not JSON: "));
  const Request other = good(R"({"device_id":2,"mqtt_topic":"b","message":{"c":1}})");
  CHECK(other.qos == 1);
  CHECK_FALSE(other.retain);
  CHECK(other.id().empty());
  CHECK(other.token().empty());
  CHECK(other.payload() == R"({"c":1})");
}
