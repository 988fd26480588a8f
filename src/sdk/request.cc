// Writes requests (contract: "Request members") by hand.
#include "sdk/request.h"

#include <string_view>
#include <utility>

#include "sdk/json.h"

namespace sluice::sdk {

namespace {

void append_name(std::string& out, std::string_view name) {
  if (out.back() != '{') out.push_back(',');
  out.push_back('"');
  out += name;
  out += "\":";
}

void append_text(std::string& out, std::string_view name, std::string_view text) {
  append_name(out, name);
  append_quoted(out, text);
}

void append_number(std::string& out, std::string_view name, std::int64_t number) {
  append_name(out, name);
  out += std::to_string(number);
}

void append_either(std::string& out, std::string_view name,
                   const std::variant<std::int64_t, std::string>& value) {
  if (const auto* number = std::get_if<std::int64_t>(&value)) {
    append_number(out, name, *number);
  } else {
    append_text(out, name, std::get<std::string>(value));
  }
}

bool is_text(const std::variant<std::int64_t, std::string>& value) {
  const auto* text = std::get_if<std::string>(&value);
  return text == nullptr || is_utf8(*text);
}

/// Whether the one `encoding` of the request must be base64.
bool needs_base64(const Message& message) {
  if (message.payload_kind == PayloadKind::Base64) return true;
  if (!is_utf8(message.properties.correlation_data)) return true;
  return message.payload_kind == PayloadKind::Bytes && !is_utf8(message.payload);
}

std::string fault_of(const Message& message, const std::optional<RequestId>& id,
                     const std::string& token, bool base64) {
  const MessageProperties& properties = message.properties;
  if (id && !is_text(*id)) return "id is not UTF-8";
  if (!is_utf8(token)) return "token is not UTF-8";
  if (!is_text(message.device_id)) return "device_id is not UTF-8";
  if (!is_utf8(message.topic)) return "topic is not UTF-8";
  if (!is_utf8(properties.content_type)) return "content_type is not UTF-8";
  if (!is_utf8(properties.response_topic)) return "response_topic is not UTF-8";
  for (const auto& [name, value] : properties.user) {
    if (!is_utf8(name) || !is_utf8(value)) return "a user property is not UTF-8";
  }
  switch (message.payload_kind) {
    case PayloadKind::Bytes:
      return {};
    case PayloadKind::Base64:
      return is_utf8(message.payload) ? "" : "payload is not base64";
    case PayloadKind::Json:
      if (!is_json_value(message.payload)) return "payload is not one JSON value";
      if (base64) return "correlation_data beside a JSON payload is not UTF-8";
      return {};
  }
  return "payload_kind is none";
}

void append_properties(std::string& out, const MessageProperties& properties, bool base64) {
  std::string inner = "{";
  if (!properties.content_type.empty()) {
    append_text(inner, "content_type", properties.content_type);
  }
  if (!properties.response_topic.empty()) {
    append_text(inner, "response_topic", properties.response_topic);
  }
  if (!properties.correlation_data.empty()) {
    const std::string& data = properties.correlation_data;
    append_text(inner, "correlation_data", base64 ? to_base64(data) : data);
  }
  if (properties.message_expiry_s) {
    append_number(inner, "message_expiry_s", *properties.message_expiry_s);
  }
  if (!properties.user.empty()) {
    std::string user = "{";
    for (const auto& [name, value] : properties.user) {
      if (user.back() != '{') user.push_back(',');
      append_quoted(user, name);
      user.push_back(':');
      append_quoted(user, value);
    }
    append_name(inner, "user");
    inner += user + "}";
  }
  if (inner.size() == 1) return;
  append_name(out, "properties");
  out += inner + "}";
}

void append_payload(std::string& out, const Message& message, bool base64) {
  switch (message.payload_kind) {
    case PayloadKind::Json:
      append_name(out, "message");
      out += message.payload;
      return;
    case PayloadKind::Base64:
      return append_text(out, "message", message.payload);
    case PayloadKind::Bytes:
      if (base64) return append_text(out, "message", to_base64(message.payload));
      return append_text(out, "message", message.payload);
  }
}

}  // namespace

EncodedRequest encode_request(const Message& message, const std::optional<RequestId>& id,
                              const std::string& token) {
  const bool base64 = needs_base64(message);
  std::string fault = fault_of(message, id, token, base64);
  if (!fault.empty()) return {{}, std::move(fault)};

  std::string out = "{";
  out.reserve(message.payload.size() + message.topic.size() + 128);
  if (id) append_either(out, "id", *id);
  if (!token.empty()) append_text(out, "token", token);
  append_either(out, "device_id", message.device_id);
  append_text(out, "mqtt_topic", message.topic);
  if (message.qos) append_number(out, "qos", *message.qos);
  if (message.retain) {
    append_name(out, "retain");
    out += "true";
  }
  if (message.timeout) append_number(out, "timeout_ms", message.timeout->count());
  if (base64) append_text(out, "encoding", "base64");
  append_properties(out, message.properties, base64);
  append_payload(out, message, base64);
  out.push_back('}');
  return {std::move(out), {}};
}

}  // namespace sluice::sdk
