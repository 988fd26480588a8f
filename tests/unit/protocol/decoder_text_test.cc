// Properties, repeated members, texts that are not JSON, and the ids that are found in them.
#include <string>
#include <utility>
#include <vector>

#include "catch.h"
#include "decoder_fixture.h"

using namespace sluice::protocol;
using namespace sluice::decoder_fixture;

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

TEST_CASE("a request has at most 256 user properties", "[decoder]") {
  const auto with_user = [](std::size_t count) {
    std::string members;
    for (std::size_t i = 0; i < count; ++i)
      members += R"("a":"",)";
    members.pop_back();
    return with_properties(R"("user":{)" + members + "}");
  };
  CHECK(good(with_user(256)).properties()->user.size() == 256);
  CHECK(bad(with_user(257)).detail == "properties.user: expected at most 256 members, got 257");
  CHECK(bad(with_user(120000)).detail ==
        "properties.user: expected at most 256 members, got 120000");
  CHECK(good(with_user(256)).properties()->user.size() == 256);
}

TEST_CASE("a member given twice is refused", "[decoder]") {
  CHECK(bad(request_with(R"(,"message":"m")")).detail == "message: duplicate member");
  CHECK(bad(request_with(R"(,"mess\u0061ge":"m")")).detail == "message: duplicate member");
  for (const std::string name : {"device_id", "mqtt_topic", "message", "qos", "retain", "id",
                                 "timeout_ms", "encoding", "properties", "token", "unknown"}) {
    const std::string member = ",\"" + name + "\":0";
    CHECK(bad(request_with(member + member)).detail.size() > 10);
  }
  CHECK(bad(request_with(R"(,"qos":1,"qos":1)")).detail == "qos: duplicate member");
  CHECK(bad(request_with(R"(,"x":1,"y":2,"x":1)")).detail == R"("x": duplicate member)");
  CHECK(bad(with_properties(R"("content_type":"a","content_type":"a")")).detail ==
        "content_type: duplicate member");
  CHECK(bad(with_properties(R"("x":1,"x":1)")).detail == R"("x": duplicate member)");
  CHECK(bad(with_properties(R"("user":{},"user":{})")).detail == "user: duplicate member");
  CHECK(bad(request_with(R"(,"properties":{},"properties":{})")).detail ==
        "properties: duplicate member");
  CHECK(bad(request_with(R"(,"id":1,"id":2)")).id == "1");
}

TEST_CASE("only the first 1024 unknown members are compared, the others ignored", "[decoder]") {
  const auto unknown = [](std::size_t count) {
    std::string members;
    for (std::size_t i = 0; i < count; ++i)
      members += R"(,"x)" + std::to_string(i) + R"(":0)";
    return members;
  };
  const std::string repeated = R"(,"x0":0)";
  CHECK(bad(request_with(unknown(1023) + repeated)).detail == R"("x0": duplicate member)");
  CHECK(good(request_with(unknown(1024) + repeated)).device_id == 1);
  CHECK(bad(with_properties(R"("y":0)" + unknown(1022) + repeated)).detail ==
        R"("x0": duplicate member)");
  CHECK(good(with_properties(R"("y":0)" + unknown(1023) + repeated)).device_id == 1);
  CHECK(good(request_with(unknown(100000))).device_id == 1);
  CHECK(bad(request_with(unknown(1024) + R"(,"qos":1,"qos":1)")).detail == "qos: duplicate member");
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

TEST_CASE("no control character stands in a string as it is, wherever in it", "[decoder]") {
  Decoder decoder;
  for (int control = 0; control < 0x20; ++control) {
    for (std::size_t at = 0; at < 40; ++at) {
      std::string text(40, 'x');
      text[at] = static_cast<char>(control);
      const std::string request =
          R"({"device_id":1,"mqtt_topic":"t","message":")" + text + R"(","id":"i"})";
      CAPTURE(control, at);
      CHECK(std::holds_alternative<Fault>(decoder.decode(request)));
    }
  }
}
