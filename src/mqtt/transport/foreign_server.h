// Describes a server that does not speak MQTT, by what it sent instead of a CONNACK.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sluice::mqtt {

/// As many of the first bytes are looked at.
constexpr std::size_t kGreetingBytes = 24;

/// "the port speaks HTTP, not MQTT"; empty: these bytes may be MQTT.
std::string describe_foreign_server(std::string_view first_bytes);

}  // namespace sluice::mqtt
