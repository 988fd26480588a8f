// The request table, row by row: what each member may be, what it may not, and how that is said.
#include "protocol/decoder.h"

#include <string>
#include <utility>
#include <vector>

#include "catch.h"
#include "protocol/utf8.h"

using namespace sluice::protocol;

namespace {

Decoded decode(std::string_view text) {
  static Decoder decoder;
  return decoder.decode(text);
}

Request good(std::string_view text) {
  Decoded decoded = decode(text);
  if (const auto* fault = std::get_if<Fault>(&decoded)) {
    FAIL("refused: " << text << ": " << fault->detail);
  }
  REQUIRE(std::holds_alternative<Request>(decoded));
  return std::get<Request>(std::move(decoded));
}

Fault bad(std::string_view text) {
  INFO(text.substr(0, 200));
  Decoded decoded = decode(text);
  REQUIRE(std::holds_alternative<Fault>(decoded));
  Fault fault = std::get<Fault>(std::move(decoded));
  CHECK(fault.error == ErrorKind::BadRequest);
  CHECK_FALSE(fault.detail.empty());
  CHECK(is_utf8(fault.detail));
  CHECK(fault.detail.size() < 250);
  return fault;
}

/// A complete request with `more` members, "," in front of them.
std::string request_with(const std::string& more) {
  return R"({"device_id":1,"mqtt_topic":"t","message":"m")" + more + "}";
}
std::string with_topic(const std::string& topic) {
  return R"({"device_id":1,"message":"m","mqtt_topic":)" + topic + "}";
}
std::string with_message(const std::string& message) {
  return R"({"device_id":1,"mqtt_topic":"t","message":)" + message + "}";
}
std::string with_device(const std::string& device) {
  return R"({"mqtt_topic":"t","message":"m","device_id":)" + device + "}";
}
std::string with_properties(const std::string& members) {
  return request_with(R"(,"properties":{)" + members + "}");
}
std::string quoted(const std::string& text) {
  return '"' + text + '"';
}

constexpr std::string_view kMissingDevice = "device_id: missing";

}  // namespace

TEST_CASE("a request of today's clients is decoded with the defaults", "[decoder]") {
  const Request request = good(R"({"device_id": 1001, "mqtt_topic": "dev/1001/cmd",)"
                               R"( "message": "open"})");
  CHECK(request.device_id == 1001);
  CHECK(request.topic() == "dev/1001/cmd");
  CHECK(request.payload() == "open");
  CHECK(request.qos == 1);
  CHECK_FALSE(request.retain);
  CHECK(request.timeout_ms == 10000);
  CHECK(request.id().empty());
  CHECK(request.token().empty());
  CHECK(request.properties() == nullptr);
}

TEST_CASE("defaults and limits follow the settings", "[decoder]") {
  Decoder decoder({.max_depth = 2, .default_qos = 2, .default_timeout_ms = 5, .max_timeout_ms = 7});
  const auto first = decoder.decode(request_with(""));
  CHECK(std::get<Request>(first).qos == 2);
  CHECK(std::get<Request>(first).timeout_ms == 5);
  CHECK(std::get<Fault>(decoder.decode(request_with(R"(,"timeout_ms":8)"))).detail ==
        "timeout_ms: expected an integer from 1 to 7, got 8");
  CHECK(decoder.decode(with_message("[[]]")).index() == 2);
  decoder.set({.max_depth = 3});
  CHECK(decoder.decode(with_message("[[]]")).index() == 0);
  CHECK(std::get<Request>(decoder.decode(request_with(""))).qos == 1);
}

TEST_CASE("members come in any order, unknown ones are ignored, white space is free", "[decoder]") {
  const Request request = good(
      "\r\n {\t\"x\":[{\"device_id\":5}], \"properties\":{}, \"message\":"
      " \"bQ==\" ,\"encoding\":\"base64\",\"mqtt_topic\":\"t\","
      "\"y\":{\"id\":9},\"device_id\":1 } \n");
  CHECK(request.device_id == 1);
  CHECK(request.payload() == "m");
  CHECK(request.id().empty());
  CHECK(request.properties() == nullptr);
}

TEST_CASE("device_id is a 64-bit integer or the same as a string", "[decoder]") {
  const std::vector<std::pair<std::string, std::int64_t>> rows = {
      {"0", 0},
      {"-0", 0},
      {"7", 7},
      {"-7", -7},
      {"9223372036854775807", INT64_MAX},
      {"-9223372036854775808", INT64_MIN},
      {"\"7\"", 7},
      {"\"007\"", 7},
      {"\"-0\"", 0},
      {"\"9223372036854775807\"", INT64_MAX},
      {"\"-9223372036854775808\"", INT64_MIN},
      {"\"0000000000000000001\"", 1},
      {"\"\\u0037\"", 7},
  };
  for (const auto& [text, number] : rows)
    CHECK(good(with_device(text)).device_id == number);
}

TEST_CASE("any other device_id is refused", "[decoder]") {
  for (const std::string text : {"9223372036854775808",
                                 "-9223372036854775809",
                                 "1.0",
                                 "1e3",
                                 "1e400",
                                 "true",
                                 "null",
                                 "[]",
                                 "{}",
                                 "[1]",
                                 "\"\"",
                                 "\"-\"",
                                 "\"+7\"",
                                 "\" 7\"",
                                 "\"7 \"",
                                 "\"1.0\"",
                                 "\"0x7\"",
                                 "\"--7\"",
                                 "\"00000000000000000001\"",
                                 "\"9223372036854775808\"",
                                 "\"-9223372036854775809\"",
                                 "\"7\\u0000\""}) {
    CAPTURE(text);
    CHECK(bad(with_device(text)).detail.starts_with("device_id: expected an integer of 64 bits"));
  }
  CHECK(bad(R"({"mqtt_topic":"t","message":"m"})").detail == kMissingDevice);
}

TEST_CASE("mqtt_topic is a string that can be published to", "[decoder]") {
  CHECK(good(with_topic(R"("a\/b\u6d88")")).topic() == "a/b消");
  CHECK(good(with_topic(quoted(std::string(65535, 'a')))).topic().size() == 65535);
  for (const std::string text : {"7", "null", "true", "[]", "{}"}) {
    CHECK(bad(with_topic(text)).detail.starts_with("mqtt_topic: expected a string, got "));
  }
  for (const std::string text : {"", "a/+", "#", R"(\u0000)", R"(a\nb)", R"(\u007f)", R"(\u009f)",
                                 R"(\uffff)", R"(\ufdd0)"}) {
    CHECK(bad(with_topic(quoted(text))).detail.starts_with("mqtt_topic: "));
  }
  bad(with_topic(quoted(std::string(65536, 'a'))));
  bad(with_topic(quoted(std::string(201, '/'))));
  CHECK(bad(R"({"device_id":1,"message":"m"})").detail == "mqtt_topic: missing");
}

TEST_CASE("a string message is its bytes", "[decoder]") {
  CHECK(good(with_message("\"\"")).payload().empty());
  CHECK(good(with_message(R"("\u0000\n\"消\ud83d\ude00")")).payload() ==
        std::string("\0\n\"消\U0001F600", 10));
  CHECK(good(with_message(quoted(std::string(100000, 'x')))).payload().size() == 100000);
  CHECK(bad(R"({"device_id":1,"mqtt_topic":"t"})").detail == "message: missing");
}

TEST_CASE("any other message is its text without white space outside strings", "[decoder]") {
  const std::string huge(400, '9');
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"null", "null"},
      {"true", "true"},
      {"false", "false"},
      {"1.10", "1.10"},
      {"-0", "-0"},
      {"12345678901234567890123", "12345678901234567890123"},
      {"1e400", "1e400"},
      {"-1E+400", "-1E+400"},
      {huge, huge},
      {"[ 1e400 , \"1e400 \" , 1.0 ]", "[1e400,\"1e400 \",1.0]"},
      {"{}", "{}"},
      {"[ ]", "[]"},
      {" { \"a\" : [ 1 ,\t2.50,\r\n{ } ] , \"b c\" : \" \\\" , \" } ",
       R"({"a":[1,2.50,{}],"b c":" \" , "})"},
      {R"({"\u0041":"\/"})", R"({"\u0041":"\/"})"},
      {R"({"a":1,"a":2})", R"({"a":1,"a":2})"},
  };
  for (const auto& [text, payload] : rows) {
    CHECK(good(with_message(text)).payload() == payload);
    CHECK(good(R"({"message":)" + text + R"(,"device_id":1,"mqtt_topic":"t"})").payload() ==
          payload);
  }
}

TEST_CASE("encoding says how a string message is read", "[decoder]") {
  CHECK(good(request_with(R"(,"encoding":"utf8")")).payload() == "m");
  CHECK(
      good(R"({"encoding":"base64","device_id":1,"mqtt_topic":"t","message":"AP8="})").payload() ==
      std::string("\0\xFF", 2));
  CHECK(
      good(R"({"device_id":1,"mqtt_topic":"t","message":"AP8=","encoding":"base64"})").payload() ==
      std::string("\0\xFF", 2));
  CHECK(good(R"({"device_id":1,"mqtt_topic":"t","message":[ 5 ],"encoding":"base64"})").payload() ==
        "[5]");
  CHECK(
      bad(request_with(R"(,"encoding":"base64")")).detail.starts_with("message: expected base64"));
  for (const std::string text : {"\"Base64\"", "\"\"", "null", "64", "[]", "{}"}) {
    CHECK(bad(request_with(R"(,"encoding":)" + text))
              .detail.starts_with(R"(encoding: expected "utf8" or "base64", got )"));
  }
}

TEST_CASE("qos is 0, 1 or 2", "[decoder]") {
  for (const int qos : {0, 1, 2}) {
    CHECK(good(request_with(R"(,"qos":)" + std::to_string(qos))).qos == qos);
  }
  CHECK(bad(request_with(R"(,"qos":3)")).detail == "qos: expected 0, 1 or 2, got 3");
  CHECK(bad(request_with(R"(,"qos":"1")")).detail == "qos: expected 0, 1 or 2, got \"1\"");
  for (const std::string text :
       {"-1", "1.0", "1e0", "true", "null", "[1]", "{}", "18446744073709551616", "257"}) {
    CHECK(bad(request_with(R"(,"qos":)" + text)).detail.starts_with("qos: expected 0, 1 or 2"));
  }
}

TEST_CASE("retain is a boolean", "[decoder]") {
  CHECK(good(request_with(R"(,"retain":true)")).retain);
  CHECK_FALSE(good(request_with(R"(,"retain":false)")).retain);
  for (const std::string text : {"1", "0", "\"true\"", "null", "[]", "{}"}) {
    CHECK(bad(request_with(R"(,"retain":)" + text)).detail.starts_with("retain: expected true or"));
  }
}

TEST_CASE("timeout_ms has a least and a most", "[decoder]") {
  CHECK(good(request_with(R"(,"timeout_ms":1)")).timeout_ms == 1);
  CHECK(good(request_with(R"(,"timeout_ms":60000)")).timeout_ms == 60000);
  for (const std::string text :
       {"0", "-1", "60001", "1.5", "\"5\"", "null", "true", "[]", "{}", "99999999999999999999"}) {
    CHECK(bad(request_with(R"(,"timeout_ms":)" + text))
              .detail.starts_with("timeout_ms: expected an integer from 1 to 60000, got "));
  }
}

TEST_CASE("an id is echoed as sent", "[decoder]") {
  const std::string longest = quoted(std::string(256, 'i'));
  std::string escaped;
  for (int i = 0; i < 256; ++i)
    escaped += "\\u0069";
  for (const std::string& id :
       {std::string("7"), std::string("-0"), std::string("9223372036854775807"),
        std::string("-9223372036854775808"), std::string("\"\""), std::string(R"("a\"\\\u6d88消")"),
        longest, quoted(escaped)}) {
    CHECK(good(request_with(",\"id\": " + id + " ")).id() == id);
    CHECK(bad(request_with(",\"qos\":9,\"id\":" + id)).id == id);
  }
}

TEST_CASE("an id that cannot be an id is refused and not echoed", "[decoder]") {
  for (const std::string& id :
       {std::string("1.0"), std::string("1e3"), std::string("9223372036854775808"),
        std::string("null"), std::string("true"), std::string("[1]"), std::string("{}"),
        quoted(std::string(257, 'i')), std::string(R"("\udc00")")}) {
    CHECK(bad(request_with(",\"id\":" + id)).id.empty());
  }
  CHECK(bad(request_with(R"(,"id":1.5)")).detail ==
        "id: expected a string or an integer of 64 bits, got 1.5");
  CHECK(bad(request_with(",\"id\":" + quoted(std::string(257, 'i')))).detail ==
        "id: expected at most 256 bytes, got 257");
}

TEST_CASE("a token is a string, and is never quoted", "[decoder]") {
  CHECK(good(request_with(R"(,"token":"s\u0065cret")")).token() == "secret");
  for (const std::string text : {"12345", "null", "true", "[\"12345\"]", "{}"}) {
    CHECK(bad(request_with(R"(,"token":)" + text)).detail == "token: expected a string");
  }
}

TEST_CASE("a token with nothing to publish authenticates", "[decoder]") {
  const auto decoded = decode(R"({"token":"secret","id":"i","qos":1,"other":{}})");
  REQUIRE(std::holds_alternative<Authenticate>(decoded));
  CHECK(std::get<Authenticate>(decoded).token == "secret");
  CHECK(std::get<Authenticate>(decoded).id == "\"i\"");
  CHECK(std::holds_alternative<Authenticate>(decode(R"({"token":""})")));
  bad(R"({"token":"secret","qos":3})");
  bad(R"({"token":7})");
  CHECK(bad(R"({"token":"secret","message":"m"})").detail == kMissingDevice);
  CHECK(bad(R"({"token":"secret","mqtt_topic":"t"})").detail == kMissingDevice);
  CHECK(bad(R"({"token":"secret","device_id":1})").detail == "mqtt_topic: missing");
  CHECK(bad("{}").detail == kMissingDevice);
}

TEST_CASE("properties are decoded", "[decoder]") {
  const Request request = good(with_properties(
      R"("content_type":"text/plain","response_topic":"r/1","correlation_data":"c\u0000d",)"
      R"("message_expiry_s":4294967295,"user":{"a":"1","b":"","a":"2"},"other":[{}])"));
  const Properties* properties = request.properties();
  REQUIRE(properties != nullptr);
  CHECK(properties->content_type == "text/plain");
  CHECK(properties->response_topic == "r/1");
  CHECK(properties->correlation_data == std::string("c\0d", 3));
  CHECK(properties->message_expiry_s == 4294967295U);
  const std::vector<std::pair<std::string, std::string>> user = {{"a", "1"}, {"b", ""}, {"a", "2"}};
  CHECK(properties->user == user);
}

TEST_CASE("only the properties given are there", "[decoder]") {
  const Request request = good(with_properties(R"("message_expiry_s":0)"));
  REQUIRE(request.properties() != nullptr);
  CHECK(request.properties()->message_expiry_s == 0U);
  CHECK_FALSE(request.properties()->content_type);
  CHECK_FALSE(request.properties()->response_topic);
  CHECK_FALSE(request.properties()->correlation_data);
  CHECK(good(with_properties(R"("content_type":"")")).properties()->content_type == "");
  CHECK(good(with_properties(R"("user":{})")).properties() == nullptr);
  CHECK(good(with_properties(R"("other":1)")).properties() == nullptr);
  CHECK(good(request_with("")).properties() == nullptr);
}

TEST_CASE("correlation_data is base64 where encoding is", "[decoder]") {
  const std::string start =
      R"({"device_id":1,"mqtt_topic":"t","message":"bQ==","encoding":"base64",)";
  CHECK(
      good(start + R"("properties":{"correlation_data":"AP8="}})").properties()->correlation_data ==
      std::string("\0\xFF", 2));
  CHECK(bad(start + R"("properties":{"correlation_data":"x"}})")
            .detail.starts_with("properties.correlation_data: expected base64"));
  CHECK(good(with_properties(R"("correlation_data":"AP8=")")).properties()->correlation_data ==
        "AP8=");
  good(with_properties(R"("correlation_data":")" + std::string(65535, 'c') + '"'));
  bad(with_properties(R"("correlation_data":")" + std::string(65536, 'c') + '"'));
}

TEST_CASE("a property of a wrong kind is refused by its name", "[decoder]") {
  const auto detail = [](const std::string& members) {
    return bad(with_properties(members)).detail;
  };
  for (const std::string text : {"7", "null", "true", "[]", "{}", R"("\u0001")", R"("\ufffe")"}) {
    CHECK(detail(R"("content_type":)" + text).starts_with("properties.content_type: "));
    CHECK(detail(R"("response_topic":)" + text).starts_with("properties.response_topic: "));
    CHECK(detail(R"("user":{"k":)" + text + "}").starts_with("properties.user: "));
  }
  for (const std::string text : {"7", "null", "true", "[]", "{}"}) {
    CHECK(detail(R"("correlation_data":)" + text).starts_with("properties.correlation_data: "));
  }
  for (const std::string text : {"\"\"", "\"a/+\"", "\"#\""}) {
    CHECK(detail(R"("response_topic":)" + text).starts_with("properties.response_topic: "));
  }
  detail(R"("response_topic":")" + std::string(201, '/') + '"');
  detail(R"("content_type":")" + std::string(65536, 'x') + '"');
  for (const std::string text : {"-1", "4294967296", "1.5", "\"1\"", "null", "[]", "{}"}) {
    CHECK(detail(R"("message_expiry_s":)" + text).starts_with("properties.message_expiry_s: "));
  }
  for (const std::string text : {"\"x\"", "7", "null", "[\"a\"]"}) {
    CHECK(
        detail(R"("user":)" + text).starts_with("properties.user: expected an object of strings"));
    CHECK(bad(request_with(R"(,"properties":)" + text))
              .detail.starts_with("properties: expected an object, got "));
  }
  CHECK(detail(R"("user":{"\u0000":"v"})").starts_with("properties.user: a name: "));
}

TEST_CASE("a member given twice is refused", "[decoder]") {
  CHECK(bad(request_with(R"(,"message":"m")")).detail == "message: given twice");
  CHECK(bad(request_with(R"(,"mess\u0061ge":"m")")).detail == "message: given twice");
  for (const std::string name : {"device_id", "mqtt_topic", "message", "qos", "retain", "id",
                                 "timeout_ms", "encoding", "properties", "token", "unknown"}) {
    const std::string member = ",\"" + name + "\":0";
    CHECK(bad(request_with(member + member)).detail.size() > 10);
  }
  CHECK(bad(request_with(R"(,"qos":1,"qos":1)")).detail == "qos: given twice");
  CHECK(bad(request_with(R"(,"x":1,"y":2,"x":1)")).detail == R"("x": given twice)");
  CHECK(bad(with_properties(R"("content_type":"a","content_type":"a")")).detail ==
        "content_type: given twice");
  CHECK(bad(with_properties(R"("x":1,"x":1)")).detail == R"("x": given twice)");
  CHECK(bad(with_properties(R"("user":{},"user":{})")).detail == "user: given twice");
  CHECK(bad(request_with(R"(,"properties":{},"properties":{})")).detail ==
        "properties: given twice");
  CHECK(bad(request_with(R"(,"id":1,"id":2)")).id == "1");
}

TEST_CASE("names count at their own level only", "[decoder]") {
  const Request request = good(
      request_with(R"(,"x":{"qos":9,"id":{},"qos":9},"properties":{"qos":7,"id":[]},"qos":2)"));
  CHECK(request.qos == 2);
  CHECK(request.id().empty());
  CHECK(good(with_properties(R"("x":{"user":{"a":1}})")).properties() == nullptr);
  CHECK(good(request_with(R"(,"x":[{"content_type":7}])")).properties() == nullptr);
}

TEST_CASE("nesting is limited, the request itself counted", "[decoder]") {
  const auto nested = [](std::size_t levels) {
    return with_message(std::string(levels, '[') + std::string(levels, ']'));
  };
  CHECK(good(nested(63)).payload().size() == 126);
  CHECK(bad(nested(64)).detail == "expected at most 64 levels of nesting");
  bad(with_message(std::string(1000000, '[')));
  CHECK(bad(R"({"id":5,"x":)" + std::string(1000000, '[')).id == "5");
}

TEST_CASE("what is not one JSON object is refused", "[decoder]") {
  for (const std::string text : {"",
                                 " ",
                                 "x",
                                 "null",
                                 "7",
                                 "\"{}\"",
                                 "[]",
                                 "[{}]",
                                 "{",
                                 "}",
                                 "{}{}",
                                 "{} x",
                                 "{}}",
                                 "{'a':1}",
                                 "{a:1}",
                                 "{\"a\"}",
                                 "{\"a\":}",
                                 "{\"a\":1,}",
                                 "{\"a\":01}",
                                 "{\"a\":.5}",
                                 "{\"a\":1.}",
                                 "{\"a\":+1}",
                                 "{\"a\":1e}",
                                 "{\"a\":[1,]}",
                                 "{\"a\":[1 2]}",
                                 "{\"a\":tru}",
                                 "{\"a\":NaN}",
                                 "{\"a\":1e400.5}",
                                 "{\"a\":1e400,\"b\":00}",
                                 "{/**/}",
                                 "\xEF\xBB\xBF{}"}) {
    CAPTURE(text);
    bad(text);
  }
  bad(request_with("") + "x");
  bad(request_with("") + std::string(1, '\0'));
  bad(request_with("") + std::string(1, '\0') + request_with(""));
  bad(std::string("{\"a\":\"\0\"}", 9));
  bad(std::string("{\"a\":\0 1}", 9));
}

TEST_CASE("strings are valid UTF-8 without raw control characters", "[decoder]") {
  for (const std::string text :
       {"\xFF", "\xC3", "\xC0\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\x01", "\x1F", "\n", "\t",
        R"(\ud800)", R"(\ud800x)", R"(\ud800\u0041)", R"(\udc00)", R"(\\\udfff)", R"(\u12g4)",
        R"(\x41)"}) {
    CAPTURE(text);
    bad(with_message(quoted(text)));
    bad(request_with(",\"x\":" + quoted(text)));
  }
  CHECK(good(with_message(R"("\\udc00")")).payload() == R"(\udc00)");
}

TEST_CASE("a fault carries the id that stands before it", "[decoder]") {
  CHECK(bad(R"({"id":"a","device_id":tru})").id == "\"a\"");
  CHECK(bad(R"({"id" : 12 , "device_id":"x","mqtt_topic":7})").id == "12");
  CHECK(bad(R"({"qos":3,"retain":7,"id":12})").id == "12");
  CHECK(bad(R"({"device_id":tru,"id":"a"})").id.empty());
  CHECK(bad(R"({"x":{"id":"a"}})").id.empty());
  CHECK(bad(R"([{"id":"a"}])").id.empty());
  CHECK(bad(R"({"id":"a"}{"id":"b"})").id == "\"a\"");
}

TEST_CASE("the first fault is told", "[decoder]") {
  CHECK(bad(R"({"qos":3,"device_id":"x"})").detail == "qos: expected 0, 1 or 2, got 3");
  CHECK(bad(R"({"device_id":1,"mqtt_topic":"t","message" "m"})").detail ==
        "not JSON: expected a colon at byte 42");
}

TEST_CASE("an id is found in what was read of a request", "[decoder]") {
  Decoder decoder;
  CHECK(decoder.find_id(R"({"id":"a","message":"unfinish)") == "\"a\"");
  CHECK(decoder.find_id(R"({"message":"m","id": 12, "x)") == "12");
  CHECK(decoder.find_id(R"({"id":12})") == "12");
  CHECK(decoder.find_id(R"({"id":12)").empty());
  CHECK(decoder.find_id(R"({"id":"a)").empty());
  CHECK(decoder.find_id(R"({"id":"a")") == "\"a\"");
  CHECK(decoder.find_id(R"({"x":{"id":1},"y":[{"id":2)").empty());
  CHECK(decoder.find_id("{\"id\":\"a\\u0041\",\"m\":\"x\n") == R"("a\u0041")");
  CHECK(decoder.find_id(R"({"id":1.5,"x)").empty());
  CHECK(decoder.find_id(R"({"device_id":1e400,"id":3,"x)") == "3");
  CHECK(decoder.find_id(R"({"id":007,"x)").empty());
  CHECK(decoder.find_id(R"({"id":0-7,"x)").empty());
  CHECK(decoder.find_id("").empty());
  CHECK(decoder.find_id("garbage").empty());
}

TEST_CASE("a detail quotes little of what was sent", "[decoder]") {
  const std::string detail = bad(request_with(",\"qos\":" + quoted(std::string(5000, 'q')))).detail;
  CHECK(detail == "qos: expected 0, 1 or 2, got \"" + std::string(40, 'q') + "...\"");
  bad(request_with(",\"qos\":" + std::string(5000, '9')));
  bad(request_with(",\"qos\":" + quoted(R"(\udc00\u0001)" + std::string(100, 'x'))));
  bad(request_with(",\"" + std::string(500, 'n') + "\":1,\"" + std::string(500, 'n') + "\":1"));
}

TEST_CASE("a decoder goes on after large and broken requests", "[decoder]") {
  Decoder decoder;
  const std::string large = with_message(quoted(std::string(3 << 20, 'x')));
  for (int i = 0; i < 3; ++i) {
    CHECK(std::get<Request>(decoder.decode(large)).payload().size() == 3 << 20);
    CHECK(decoder.decode("{broken}").index() == 2);
    CHECK(std::get<Request>(decoder.decode(request_with(""))).payload() == "m");
  }
}

TEST_CASE("a result does not refer to the text it was decoded from", "[decoder]") {
  std::string text = request_with(R"(,"id":"i","token":"k","properties":{"user":{"a":"b"}})");
  Decoder decoder;
  const auto decoded = decoder.decode(text);
  text.assign(text.size(), '#');
  decoder.decode(with_message("\"another one altogether\""));
  const Request& request = std::get<Request>(decoded);
  CHECK(request.topic() == "t");
  CHECK(request.payload() == "m");
  CHECK(request.id() == "\"i\"");
  CHECK(request.token() == "k");
  CHECK(request.properties()->user.front().second == "b");
}
