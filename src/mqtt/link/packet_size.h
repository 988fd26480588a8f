// How large a PUBLISH packet gets, and whether a broker has said that it would not take it.
#pragma once

#include <cstddef>
#include <optional>

#include "mqtt/delivery.h"
#include "mqtt/transport/transport.h"
#include "protocol/request.h"

namespace sluice::mqtt {

/// The whole packet in bytes (MQTT 5, section 3.3), as counted for the Maximum Packet Size. The
/// 3.1.1 packet is a little smaller; there no broker announces a limit.
std::size_t publish_packet_size(const protocol::Request& request) noexcept;

/// The refusal that the CONNACK announced for such a message, if any: too large, QoS too high,
/// retain not available. Sending it anyway would cost the connection.
std::optional<Outcome> announced_refusal(const Connack& connack, const protocol::Request& request);

/// Equal for CONNACKs that refuse the same; never 0.
std::uint64_t announcement_of(const Connack& connack) noexcept;

}  // namespace sluice::mqtt
