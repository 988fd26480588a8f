// Whether a broker's CONNACK rules a message out.
#pragma once

#include <cstdint>
#include <optional>

#include "mqtt/delivery.h"
#include "mqtt/transport/transport.h"
#include "protocol/request.h"

namespace sluice::mqtt {

/// What the broker accepts whatever it announces: from the settings, or as learnt.
struct KnownLimits {
  std::uint8_t max_qos = 2;
  std::uint8_t max_topic_levels = 201;
};

/// The refusal of a message that exceeds these limits.
std::optional<DeliveryOutcome> known_refusal(const KnownLimits& limits,
                                             const protocol::Request& request);

/// That, or the refusal of a message that exceeds the CONNACK's limits: too large, QoS too high,
/// retain not available. The broker would close the connection on it.
std::optional<DeliveryOutcome> announced_refusal(const Connack& connack, const KnownLimits& limits,
                                                 const protocol::Request& request);

/// Equal for the same limits; never 0.
std::uint64_t announcement_of(const Connack& connack, const KnownLimits& limits) noexcept;

}  // namespace sluice::mqtt
