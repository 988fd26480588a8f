// The request's member table: names, types and limits.
#include "protocol/members.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "base/ascii.h"
#include "base/utf8.h"
#include "protocol/excerpt.h"
#include "protocol/topic.h"

namespace sluice::protocol {
namespace {

using Name = Members::Name;

constexpr std::size_t kMaxIdBytes = 256;
constexpr std::size_t kMaxDeviceDigits = 19;
constexpr std::size_t kMaxUserProperties = 256;
/// How many names of unknown members are compared to find duplicates. Further ones are ignored, so
/// that they are neither sorted nor kept.
constexpr std::size_t kMaxComparedNames = 1024;
constexpr std::int64_t kMaxU32 = std::numeric_limits<std::uint32_t>::max();

struct Known {
  std::string_view text;
  Name name;
};

constexpr std::array kMembers = {
    Known{"device_id", Name::DeviceId},
    Known{"mqtt_topic", Name::MqttTopic},
    Known{"message", Name::Message},
    Known{"qos", Name::Qos},
    Known{"id", Name::Id},
    Known{"encoding", Name::Encoding},
    Known{"retain", Name::Retain},
    Known{"timeout_ms", Name::TimeoutMs},
    Known{"token", Name::Token},
    Known{"properties", Name::Properties},
};
constexpr std::array kProperties = {
    Known{"content_type", Name::ContentType},
    Known{"response_topic", Name::ResponseTopic},
    Known{"correlation_data", Name::CorrelationData},
    Known{"message_expiry_s", Name::MessageExpiryS},
    Known{"user", Name::User},
};

template <std::size_t size>
Name look_up(const std::array<Known, size>& table, std::string_view text) {
  for (const Known& known : table) {
    if (known.text == text) return known.name;
  }
  return Name::Unknown;
}

std::string describe(const JsonValue& value) {
  switch (value.kind) {
    case JsonKind::Object:
      return "an object";
    case JsonKind::Array:
      return "an array";
    case JsonKind::String:
      return quoted_excerpt(value.text);
    case JsonKind::Number:
      if (value.text.size() > 40) return fmt::format("{}...", value.text.substr(0, 40));
      break;
    case JsonKind::Null:
    case JsonKind::Bool:
      break;
  }
  return std::string(value.text);
}

/// Whether `text` is -?[0-9]{1,19}.
bool is_device_text(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  return !text.empty() && text.size() <= kMaxDeviceDigits &&
         text.find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

void Members::on_start() {
  seen_ = 0;
  member_ = Name::Unknown;
  property_ = Name::Unknown;
  in_properties_ = false;
  in_user_ = false;
  is_base64 = false;
  retain = false;
  id = {};
  token = {};
  fault_.clear();
  user.clear();
  user_count_ = 0;
  unknown_members_.clear();
  unknown_properties_.clear();
}

void Members::on_key(std::size_t depth, std::string_view name) {
  if (depth == 1) {
    member_ = look_up(kMembers, name);
    note(member_, name, unknown_members_);
  } else if (depth == 2 && in_properties_) {
    property_ = look_up(kProperties, name);
    note(property_, name, unknown_properties_);
  } else if (depth == 3 && in_user_) {
    user_name_ = name;
  }
}

void Members::on_scalar(std::size_t depth, const JsonValue& value) {
  if (depth == 1) {
    assign(value);
  } else if (depth == 2 && in_properties_) {
    assign_property(value);
  } else if (depth == 3 && in_user_) {
    add_user_property(value);
  } else if (depth == 0) {
    refuse("request", "a JSON object", value);
  }
}

void Members::on_open(std::size_t depth, const JsonValue& container) {
  const bool is_object = container.kind == JsonKind::Object;
  if (depth == 1 && member_ == Name::Properties && is_object) {
    in_properties_ = true;
  } else if (depth == 2 && in_properties_ && property_ == Name::User && is_object) {
    in_user_ = true;
  } else if (depth > 0 || !is_object) {
    on_scalar(depth, container);
  }
}

void Members::on_close(std::size_t depth, std::size_t end) {
  if (depth == 1) {
    in_properties_ = false;
    if (member_ == Name::Message) message_end = end;
  } else if (depth == 2 && std::exchange(in_user_, false) && user_count_ > kMaxUserProperties) {
    refuse("properties.user",
           fmt::format("expected at most {} members, got {}", kMaxUserProperties, user_count_));
  }
}

/// Records a member and rejects the second of its name; see kMaxComparedNames.
void Members::note(Name name, std::string_view text, std::vector<std::string_view>& unknown) {
  if (name == Name::Unknown) {
    if (unknown.size() < kMaxComparedNames) unknown.push_back(text);
  } else if (has(name)) {
    refuse(text, "duplicate member");
  }
  seen_ |= 1U << static_cast<unsigned>(name);
}

void Members::assign(const JsonValue& value) {
  switch (member_) {
    case Name::DeviceId:
      return assign_device_id(value);
    case Name::MqttTopic:
      return take_text("mqtt_topic", value, topic_fault, topic);
    case Name::Message:
      message = value;
      return;
    case Name::Encoding:
      return assign_encoding(value);
    case Name::Qos:
      if (value.kind != JsonKind::Number) return refuse("qos", "0, 1 or 2", value);
      qos = to_integer<std::int64_t>(value.text).value_or(-1);
      if (qos < 0 || qos > 2) refuse("qos", "0, 1 or 2", value);
      return;
    case Name::Retain:
      retain = value.text == "true";
      if (value.kind != JsonKind::Bool) refuse("retain", "true or false", value);
      return;
    case Name::Id:
      return assign_id(value);
    case Name::TimeoutMs:
      return take_integer("timeout_ms", value, 1, max_timeout_ms_, timeout_ms);
    case Name::Properties:
      return refuse("properties", "an object", value);
    case Name::Token:
      token = value.text;
      // It may be a secret of the wrong type: never quote it.
      if (value.kind != JsonKind::String) refuse("token", "expected a string");
      return;
    default:
      return;
  }
}

void Members::assign_property(const JsonValue& value) {
  switch (property_) {
    case Name::ContentType:
      return take_text("properties.content_type", value, text_fault, content_type);
    case Name::ResponseTopic:
      return take_text("properties.response_topic", value, topic_fault, response_topic);
    case Name::CorrelationData:
      correlation_data = value.text;
      if (value.kind != JsonKind::String) refuse("properties.correlation_data", "a string", value);
      return;
    case Name::MessageExpiryS:
      return take_integer("properties.message_expiry_s", value, 0, kMaxU32, message_expiry_s);
    case Name::User:
      return refuse("properties.user", "an object of strings", value);
    default:
      return;
  }
}

void Members::assign_device_id(const JsonValue& value) {
  std::optional<std::int64_t> number;
  const bool is_text = value.kind == JsonKind::String && is_device_text(value.text);
  if (is_text || value.kind == JsonKind::Number) number = to_integer<std::int64_t>(value.text);
  if (!number) {
    return refuse("device_id", "an integer of 64 bits, or the same as a string of 1 to 19 digits",
                  value);
  }
  device_id = *number;
}

/// Keeps only an id that a reply can repeat. An integer at the end of the text may be incomplete.
void Members::assign_id(const JsonValue& value) {
  if (!id.empty()) return;
  if (value.kind == JsonKind::String) {
    if (value.text.size() > kMaxIdBytes) {
      return refuse(
          "id", fmt::format("expected at most {} bytes, got {}", kMaxIdBytes, value.text.size()));
    }
    if (!is_utf8(value.text)) return refuse("id", "expected UTF-8");
    id = source_.substr(value.begin, json_string_end(source_, value.begin) - value.begin);
    return;
  }
  if (value.kind != JsonKind::Number || !to_integer<std::int64_t>(value.text)) {
    return refuse("id", "a string or an integer of 64 bits", value);
  }
  if (value.begin + value.text.size() < source_.size()) id = value.text;
}

void Members::assign_encoding(const JsonValue& value) {
  is_base64 = value.text == "base64";
  if (value.kind != JsonKind::String || (!is_base64 && value.text != "utf8")) {
    refuse("encoding", R"("utf8" or "base64")", value);
  }
}

void Members::add_user_property(const JsonValue& value) {
  if (++user_count_ > kMaxUserProperties) return;  // on_close() rejects them, with their number
  std::string_view text;
  take_text("properties.user", value, text_fault, text);
  if (const auto fault = text_fault(user_name_)) refuse("properties.user", "a name: " + *fault);
  user.emplace_back(user_name_, text);
}

void Members::take_integer(std::string_view name, const JsonValue& value, std::int64_t least,
                           std::int64_t most, std::int64_t& to) {
  std::optional<std::int64_t> number;
  if (value.kind == JsonKind::Number) number = to_integer<std::int64_t>(value.text);
  if (!number || *number < least || *number > most) {
    return refuse(name, fmt::format("an integer from {} to {}", least, most), value);
  }
  to = *number;
}

void Members::take_text(std::string_view name, const JsonValue& value, TextCheck check,
                        std::string_view& to) {
  if (value.kind != JsonKind::String) return refuse(name, "a string", value);
  if (const auto fault = check(value.text)) return refuse(name, *fault);
  to = value.text;
}

void Members::refuse(std::string_view name, std::string_view expected, const JsonValue& got) {
  if (fault_.empty())
    fault_ = fmt::format("{}: expected {}, got {}", name, expected, describe(got));
}

void Members::refuse(std::string_view name, std::string_view what) {
  if (fault_.empty()) fault_ = fmt::format("{}: {}", name, what);
}

void Members::find_repeated(std::vector<std::string_view>& unknown) {
  if (unknown.size() < 2) return;
  std::sort(unknown.begin(), unknown.end());
  const auto twice = std::adjacent_find(unknown.begin(), unknown.end());
  if (twice != unknown.end()) refuse(quoted_excerpt(*twice), "duplicate member");
}

bool Members::only_authenticates() const {
  return has(Name::Token) && !has(Name::DeviceId) && !has(Name::MqttTopic) && !has(Name::Message);
}

void Members::complete() {
  find_repeated(unknown_members_);
  find_repeated(unknown_properties_);
  if (only_authenticates()) return;
  if (!has(Name::DeviceId)) refuse("device_id", "missing");
  if (!has(Name::MqttTopic)) refuse("mqtt_topic", "missing");
  if (!has(Name::Message)) refuse("message", "missing");
}

}  // namespace sluice::protocol
