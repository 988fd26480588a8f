#include "mqtt/link/announced_refusal.h"

#include <fmt/format.h>

#include "mqtt/reason_codes.h"
#include "mqtt/transport/wire_encoder.h"

namespace sluice::mqtt {
namespace {

Outcome refusal(int reason_code, std::string detail) {
  return {.kind = Outcome::Kind::Rejected,
          .reason_code = reason_code,
          .may_be_published = false,
          .detail = std::move(detail)};
}

}  // namespace

std::optional<Outcome> announced_refusal(const Connack& connack, const protocol::Request& request) {
  if (request.qos > connack.maximum_qos) {
    return refusal(reason::kQosNotSupported, fmt::format("the broker accepts QoS 0 to {}, not {}",
                                                         connack.maximum_qos, request.qos));
  }
  if (request.retain && !connack.retain_available) {
    return refusal(reason::kRetainNotSupported, "the broker does not accept retained messages");
  }
  if (connack.maximum_packet_size) {
    // Only MQTT 5 announces one.
    const std::size_t size = PublishPacket(request, config::Protocol::V5).size();
    if (size > *connack.maximum_packet_size) {
      return refusal(reason::kPacketTooLarge,
                     fmt::format("packet of {} bytes, the broker accepts at most {}", size,
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
