// For comparing decodings: a Decoded as one text, and a different text of the same request.
#pragma once

#include <fmt/format.h>

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "protocol/decoder.h"

namespace sluice {

inline std::string text_of(const protocol::Properties& properties) {
  const auto sized = [](const std::optional<std::string>& text) {
    return text ? fmt::format("{}:{}", text->size(), *text) : "none";
  };
  std::string text =
      fmt::format("{} {} {} {}", sized(properties.content_type), sized(properties.response_topic),
                  sized(properties.correlation_data), properties.message_expiry_s.value_or(0));
  for (const auto& [name, value] : properties.user)
    text += fmt::format(" {}={}", sized(name), sized(value));
  return text;
}

/// Equal only for equal results; the sizes keep one text apart from the next.
inline std::string text_of(const protocol::Decoded& decoded) {
  if (const auto* fault = std::get_if<protocol::Fault>(&decoded)) {
    return fmt::format("fault {}: {} id {}", protocol::to_string(fault->error), fault->detail,
                       fault->id);
  }
  if (const auto* login = std::get_if<protocol::Authenticate>(&decoded)) {
    return fmt::format("token {}:{} id {}", login->token.size(), login->token, login->id);
  }
  const auto& request = std::get<protocol::Request>(decoded);
  std::string text = fmt::format(
      "device {} qos {} retain {} timeout {} bytes {} topic {}:{} message {}:{} id {}:{} token "
      "{}:{}",
      request.device_id, request.qos, request.retain, request.timeout_ms, request.bytes(),
      request.topic().size(), request.topic(), request.payload().size(), request.payload(),
      request.id().size(), request.id(), request.token().size(), request.token());
  if (const auto* properties = request.properties()) text += " properties " + text_of(*properties);
  return text;
}

/// `text` with an escape for the first character of its first name: the same request, but only a
/// JsonReader reads it. Nothing if `text` does not begin with an object and a name in ASCII.
inline std::optional<std::string> with_escaped_name(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const auto brace = text.find_first_not_of(kSpace);
  if (brace == std::string_view::npos || text[brace] != '{') return std::nullopt;
  const auto quote = text.find_first_not_of(kSpace, brace + 1);
  if (quote == std::string_view::npos || text[quote] != '"') return std::nullopt;
  const auto name = quote + 1;
  const bool is_escapable = name < text.size() && text[name] >= 0x20 && text[name] < 0x7F &&
                            text[name] != '"' && text[name] != '\\';
  if (!is_escapable) return std::nullopt;
  return fmt::format("{}\\u{:04x}{}", text.substr(0, name), static_cast<unsigned>(text[name]),
                     text.substr(name + 1));
}

}  // namespace sluice
