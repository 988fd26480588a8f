#include "mqtt/link/packet_size.h"

#include <fmt/format.h>

#include "mqtt/reason_codes.h"

namespace sluice::mqtt {
namespace {

std::size_t varint_size(std::size_t value) noexcept {
  if (value < 128) return 1;
  if (value < 16384) return 2;
  return value < 2097152 ? 3 : 4;
}

std::size_t text_property(const std::optional<std::string>& text) noexcept {
  return text ? 1 + 2 + text->size() : 0;
}

std::size_t properties_size(const protocol::Properties* properties) noexcept {
  if (properties == nullptr) return 0;
  std::size_t size = text_property(properties->content_type) +
                     text_property(properties->response_topic) +
                     text_property(properties->correlation_data);
  if (properties->message_expiry_s) size += 1 + 4;
  for (const auto& [name, value] : properties->user)
    size += 1 + 2 + name.size() + 2 + value.size();
  return size;
}

Outcome refusal(int reason_code, std::string detail) {
  return {.kind = Outcome::Kind::Rejected,
          .reason_code = reason_code,
          .may_be_published = false,
          .detail = std::move(detail)};
}

}  // namespace

std::size_t publish_packet_size(const protocol::Request& request) noexcept {
  const std::size_t properties = properties_size(request.properties());
  const std::size_t packet_id = request.qos > 0 ? 2 : 0;
  const std::size_t remaining = 2 + request.topic().size() + packet_id + varint_size(properties) +
                                properties + request.payload().size();
  return 1 + varint_size(remaining) + remaining;
}

std::optional<Outcome> announced_refusal(const Connack& connack, const protocol::Request& request) {
  if (request.qos > connack.maximum_qos) {
    return refusal(reason::kQosNotSupported, fmt::format("the broker takes QoS 0 to {}, not {}",
                                                         connack.maximum_qos, request.qos));
  }
  if (request.retain && !connack.retain_available) {
    return refusal(reason::kRetainNotSupported, "the broker does not take retained messages");
  }
  if (connack.maximum_packet_size) {
    const std::size_t size = publish_packet_size(request);
    if (size > *connack.maximum_packet_size) {
      return refusal(reason::kPacketTooLarge,
                     fmt::format("the packet has {} bytes, the broker takes {}", size,
                                 *connack.maximum_packet_size));
    }
  }
  return std::nullopt;
}

std::uint64_t announcement_of(const Connack& connack) noexcept {
  std::uint64_t sum = std::uint64_t{connack.maximum_packet_size.value_or(0)} << 4;
  sum |= std::uint64_t{connack.maximum_qos} << 2;
  return sum | (connack.retain_available ? 2U : 0U) | 1U;
}

}  // namespace sluice::mqtt
