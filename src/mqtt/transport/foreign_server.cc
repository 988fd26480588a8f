#include "mqtt/transport/foreign_server.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/foreign_protocol.h"

namespace sluice::mqtt {
namespace {

/// No packet that a server may send begins with so many: its topic's length has a zero byte, or the
/// packet is short.
constexpr std::size_t kTextBytes = 4;

bool is_printable(char byte) noexcept {
  return byte >= ' ' && byte <= '~';
}

std::string_view first_line(std::string_view bytes) noexcept {
  const auto end = std::find_if_not(bytes.begin(), bytes.end(), is_printable);
  return {bytes.begin(), end};
}

}  // namespace

std::string describe_foreign_server(std::string_view first_bytes) {
  const std::string_view protocol = protocol_of(first_bytes);
  if (protocol == "TLS") return "the port speaks TLS (is it mqtts:// with s?)";
  if (!protocol.empty()) return fmt::format("the port speaks {}, not MQTT", protocol);
  const std::string_view text = first_line(first_bytes);
  if (text.size() < kTextBytes) return {};
  return fmt::format("the port does not speak MQTT; it sent \"{}\"", text);
}

}  // namespace sluice::mqtt
