// Whether a broker's CONNACK rules a message out.
#pragma once

#include <cstdint>
#include <optional>

#include "mqtt/delivery.h"
#include "mqtt/transport/transport.h"
#include "protocol/request.h"

namespace sluice::mqtt {

/// The refusal of a message that exceeds the CONNACK's limits: too large, QoS too high, retain not
/// available. The broker would close the connection on it.
std::optional<Outcome> announced_refusal(const Connack& connack, const protocol::Request& request);

/// Equal for CONNACKs with the same limits; never 0.
std::uint64_t announcement_of(const Connack& connack) noexcept;

}  // namespace sluice::mqtt
