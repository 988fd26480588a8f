// Whether a broker has said that it would not take a message.
#pragma once

#include <cstdint>
#include <optional>

#include "mqtt/delivery.h"
#include "mqtt/transport/transport.h"
#include "protocol/request.h"

namespace sluice::mqtt {

/// The refusal that the CONNACK announced for such a message, if any: too large, QoS too high,
/// retain not available. Sending it anyway would cost the connection.
std::optional<Outcome> announced_refusal(const Connack& connack, const protocol::Request& request);

/// Equal for CONNACKs that refuse the same; never 0.
std::uint64_t announcement_of(const Connack& connack) noexcept;

}  // namespace sluice::mqtt
