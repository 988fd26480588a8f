// The request table, row by row: the allowed values of each member, and the fault for others.
#include <string>
#include <utility>
#include <vector>

#include "catch.h"
#include "decoder_fixture.h"

using namespace sluice::protocol;
using namespace sluice::decoder_fixture;

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
