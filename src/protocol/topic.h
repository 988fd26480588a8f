// Checks topics and text properties for what MQTT and known brokers allow.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::protocol {

constexpr std::size_t kMaxTopicLevels = 201;

/// Levels of a topic: one more than its slashes.
std::size_t topic_levels(std::string_view topic) noexcept;

/// Why a message cannot be published to `topic`, or nothing if it can: 1 to 65,535 bytes of UTF-8
/// without wildcards, control characters or non-characters (MQTT 5.0, sections 1.5.4 and 4.7), not
/// in $SYS or $share, and at most 200 slashes: with more, Mosquitto disconnects.
std::optional<std::string> topic_fault(std::string_view topic);

/// Why `text` cannot be a text property: the same limits, but it may be empty and hold wildcards
/// and any number of slashes.
std::optional<std::string> text_fault(std::string_view text);

}  // namespace sluice::protocol
