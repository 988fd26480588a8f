// What the client writes, member by member, and what it refuses to write.
#include "sdk/request.h"

#include <limits>
#include <string>

#include "catch.h"
#include "sdk/json.h"

using namespace sluice;
using namespace sluice::sdk;

TEST_CASE("a plain message becomes the shortest request", "[sdk]") {
  Message message;
  message.device_id = 1001;
  message.topic = "dev/1001/cmd";
  message.payload = "open";
  CHECK(encode_request(message, {}, "").bytes ==
        R"({"device_id":1001,"mqtt_topic":"dev/1001/cmd","message":"open"})");
}

TEST_CASE("every member is written, the id first", "[sdk]") {
  Message message;
  message.device_id = "-7";
  message.topic = "a\"b";
  message.payload = R"({"x": [1.50]})";
  message.payload_kind = PayloadKind::Json;
  message.qos = 2;
  message.retain = true;
  message.timeout = std::chrono::milliseconds{1500};
  message.properties.content_type = "application/json";
  message.properties.response_topic = "r";
  message.properties.correlation_data = "c";
  message.properties.message_expiry_s = 60;
  message.properties.user = {{"k", "v"}, {"l", ""}};
  CHECK(encode_request(message, RequestId{"q\n"}, "t").bytes ==
        R"({"id":"q\u000a","token":"t","device_id":"-7","mqtt_topic":"a\"b","qos":2,"retain":true,)"
        R"("timeout_ms":1500,"properties":{"content_type":"application/json","response_topic":"r",)"
        R"("correlation_data":"c","message_expiry_s":60,"user":{"k":"v","l":""}},)"
        R"("message":{"x": [1.50]}})");
}

TEST_CASE("bytes that are not UTF-8 travel as base64, correlation data with them", "[sdk]") {
  Message message;
  message.topic = "t";
  message.payload = "\xff";
  message.properties.correlation_data = "c";
  CHECK(
      encode_request(message, {}, "").bytes ==
      R"({"device_id":0,"mqtt_topic":"t","encoding":"base64","properties":{"correlation_data":"Yw=="},)"
      R"("message":"/w=="})");
  message.payload = "plain";
  message.properties.correlation_data = "\xff";
  CHECK(
      encode_request(message, {}, "").bytes ==
      R"({"device_id":0,"mqtt_topic":"t","encoding":"base64","properties":{"correlation_data":"/w=="},)"
      R"("message":"cGxhaW4="})");
  message.properties = {};
  message.payload = "AA==";
  message.payload_kind = PayloadKind::Base64;
  CHECK(encode_request(message, {}, "").bytes ==
        R"({"device_id":0,"mqtt_topic":"t","encoding":"base64","message":"AA=="})");
}

TEST_CASE("nothing is written that could spoil the stream", "[sdk]") {
  Message good;
  good.topic = "t";
  const auto fault = [](const Message& message) {
    const EncodedRequest request = encode_request(message, RequestId{1}, "");
    CHECK(request.bytes.empty() == !request.fault.empty());
    return request.fault;
  };
  CHECK(fault(good).empty());
  Message message = good;
  message.payload_kind = PayloadKind::Json;
  for (const auto* payload : {"", "{", "1}{\"device_id\":2", "{\"a\":\"\n\"}"}) {
    message.payload = payload;
    CHECK(fault(message) == "payload is not one JSON value");
  }
  message = good;
  message.topic = "\xff";
  CHECK(fault(message) == "topic is not UTF-8");
  message = good;
  message.device_id = "\xff";
  CHECK(fault(message) == "device_id is not UTF-8");
  message = good;
  message.properties.user = {{"\xff", "v"}};
  CHECK(fault(message) == "a user property is not UTF-8");
  CHECK_FALSE(encode_request(good, RequestId{"\xff"}, "").fault.empty());
  CHECK_FALSE(encode_request(good, {}, "\xff").fault.empty());
}

TEST_CASE("the outermost integers survive", "[sdk]") {
  Message message;
  message.device_id = std::numeric_limits<std::int64_t>::min();
  const auto request =
      encode_request(message, RequestId{std::numeric_limits<std::int64_t>::max()}, "");
  CHECK(request.bytes.find("\"device_id\":-9223372036854775808,") != std::string::npos);
  CHECK(request.bytes.starts_with("{\"id\":9223372036854775807,"));
  CHECK(is_json_value(request.bytes));
}
