#include "protocol/topic.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>

#include "base/utf8.h"
#include "protocol/excerpt.h"

namespace sluice::protocol {
namespace {

constexpr std::size_t kMaxBytes = 65535;
constexpr std::size_t kMaxSlashes = kMaxTopicLevels - 1;

bool is_non_character(char32_t code) {
  return (code >= 0xFDD0 && code <= 0xFDEF) || (code & 0xFFFE) == 0xFFFE;
}

constexpr std::array<bool, 256> make_plain() {
  std::array<bool, 256> plain{};
  for (unsigned char byte = 0x20; byte < 0x7F; ++byte)
    plain[byte] = byte != '+' && byte != '#';
  return plain;
}

constexpr auto kPlain = make_plain();

/// Almost every topic: printable ASCII without wildcards, which needs no further check. 200 bytes
/// cannot hold more than 200 slashes.
bool is_plain_topic(std::string_view topic) noexcept {
  bool is_plain = topic.size() <= kMaxSlashes;
  for (const char c : topic)
    is_plain &= kPlain[static_cast<unsigned char>(c)];
  return is_plain;
}

/// `level` is the whole first level of the topic. $SYS is the broker's own (MQTT 5, section 4.7.2),
/// $share is for shared subscriptions (section 4.8.2).
bool begins_with_level(std::string_view topic, std::string_view level) noexcept {
  return topic.starts_with(level) && (topic.size() == level.size() || topic[level.size()] == '/');
}

std::optional<std::string> character_fault(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const auto byte = static_cast<unsigned char>(text[at]);
    if (byte >= 0x20 && byte < 0x7F) {
      ++at;
      continue;
    }
    const Utf8Char next = first_utf8_char(text.substr(at));
    const auto code = static_cast<unsigned>(next.code);
    if (next.size == 0) return "expected UTF-8, got other bytes";
    if (code <= 0x9F) return fmt::format("control characters are not allowed, got U+{:04X}", code);
    if (is_non_character(next.code)) {
      return fmt::format("non-characters are not allowed, got U+{:04X}", code);
    }
    at += next.size;
  }
  return std::nullopt;
}

}  // namespace

std::size_t topic_levels(std::string_view topic) noexcept {
  return static_cast<std::size_t>(std::count(topic.begin(), topic.end(), '/')) + 1;
}

std::optional<std::string> topic_fault(std::string_view topic) {
  if (topic.empty() || topic.size() > kMaxBytes) {
    return fmt::format("expected 1 to {} bytes, got {}", kMaxBytes, topic.size());
  }
  if (begins_with_level(topic, "$SYS") || begins_with_level(topic, "$share"))
    return "$SYS and $share are not for messages: a broker may disconnect on them";
  if (is_plain_topic(topic)) return std::nullopt;
  if (auto fault = character_fault(topic)) return fault;
  if (topic.find_first_of("+#") != std::string_view::npos) {
    return "wildcards (+ and #) are not allowed, got " + quoted_excerpt(topic);
  }
  const std::size_t slashes = topic_levels(topic) - 1;
  if (slashes > kMaxSlashes) {
    return fmt::format("at most {} slashes are allowed, got {}", kMaxSlashes, slashes);
  }
  return std::nullopt;
}

std::optional<std::string> text_fault(std::string_view text) {
  if (text.size() > kMaxBytes) {
    return fmt::format("expected at most {} bytes, got {}", kMaxBytes, text.size());
  }
  return character_fault(text);
}

}  // namespace sluice::protocol
