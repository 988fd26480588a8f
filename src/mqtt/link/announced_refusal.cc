#include "mqtt/link/announced_refusal.h"

#include <fmt/format.h>

#include <algorithm>

#include "mqtt/reason_codes.h"
#include "mqtt/transport/wire_encoder.h"
#include "protocol/topic.h"

namespace sluice::mqtt {
namespace {

DeliveryOutcome refusal(int reason_code, std::string detail) {
  return {.kind = DeliveryOutcome::Kind::Rejected,
          .reason_code = reason_code,
          .may_be_published = false,
          .detail = std::move(detail)};
}

}  // namespace

std::optional<DeliveryOutcome> known_refusal(const KnownLimits& limits,
                                             const protocol::Request& request) {
  if (request.qos > limits.max_qos) {
    return refusal(reason::kQosNotSupported, fmt::format("the broker accepts QoS 0 to {}, not {}",
                                                         limits.max_qos, request.qos));
  }
  if (limits.max_topic_levels >= protocol::kMaxTopicLevels) return std::nullopt;
  const std::size_t levels = protocol::topic_levels(request.topic());
  if (levels <= limits.max_topic_levels) return std::nullopt;
  return refusal(reason::kTopicNameInvalid,
                 fmt::format("the broker accepts topics of {} levels, not of {} (max_topic_levels)",
                             limits.max_topic_levels, levels));
}

std::optional<DeliveryOutcome> announced_refusal(const Connack& connack, const KnownLimits& limits,
                                                 const protocol::Request& request) {
  KnownLimits lower = limits;
  lower.max_qos = std::min(connack.maximum_qos, limits.max_qos);
  if (auto refused = known_refusal(lower, request)) return refused;
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

std::uint64_t announcement_of(const Connack& connack, const KnownLimits& limits) noexcept {
  std::uint64_t sum = std::uint64_t{connack.maximum_packet_size.value_or(0)} << 8;
  sum = (sum | limits.max_topic_levels) << 4;
  sum |= std::uint64_t{std::min(connack.maximum_qos, limits.max_qos)} << 2;
  return sum | (connack.retain_available ? 2U : 0U) | 1U;
}

}  // namespace sluice::mqtt
