// Shared by the decoder's tests: requests to vary, and checks of both kinds of results.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/utf8.h"
#include "catch.h"
#include "protocol/decoder.h"

namespace sluice::decoder_fixture {

inline protocol::Decoded decode(std::string_view text) {
  static protocol::Decoder decoder;
  return decoder.decode(text);
}

inline protocol::Request good(std::string_view text) {
  protocol::Decoded decoded = decode(text);
  if (const auto* fault = std::get_if<protocol::Fault>(&decoded)) {
    FAIL("refused: " << text << ": " << fault->detail);
  }
  REQUIRE(std::holds_alternative<protocol::Request>(decoded));
  return std::get<protocol::Request>(std::move(decoded));
}

inline protocol::Fault bad(std::string_view text) {
  INFO(text.substr(0, 200));
  protocol::Decoded decoded = decode(text);
  REQUIRE(std::holds_alternative<protocol::Fault>(decoded));
  protocol::Fault fault = std::get<protocol::Fault>(std::move(decoded));
  CHECK(fault.error == protocol::ErrorKind::BadRequest);
  CHECK_FALSE(fault.detail.empty());
  CHECK(is_utf8(fault.detail));
  CHECK(fault.detail.size() < 250);
  return fault;
}

/// A complete request with `more` members, "," in front of them.
inline std::string request_with(const std::string& more) {
  return R"({"device_id":1,"mqtt_topic":"t","message":"m")" + more + "}";
}
inline std::string with_topic(const std::string& topic) {
  return R"({"device_id":1,"message":"m","mqtt_topic":)" + topic + "}";
}
inline std::string with_message(const std::string& message) {
  return R"({"device_id":1,"mqtt_topic":"t","message":)" + message + "}";
}
inline std::string with_device(const std::string& device) {
  return R"({"mqtt_topic":"t","message":"m","device_id":)" + device + "}";
}
inline std::string with_properties(const std::string& members) {
  return request_with(R"(,"properties":{)" + members + "}");
}
inline std::string quoted(const std::string& text) {
  return '"' + text + '"';
}

inline constexpr std::string_view kMissingDevice = "device_id: missing";

}  // namespace sluice::decoder_fixture
