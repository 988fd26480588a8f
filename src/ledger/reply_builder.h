// Builds a request's one reply from the results of its brokers.
#pragma once

#include <string>

#include "ledger/pending_request.h"
#include "protocol/errors.h"
#include "protocol/reply.h"

namespace sluice::ledger {

/// The broker acknowledged it.
bool is_ok(const BrokerDelivery& delivery) noexcept;
/// The error that a settled delivery counts as, if it is not ok.
protocol::ErrorKind error_of(const BrokerDelivery& delivery) noexcept;
/// Why a delivery failed, without the broker's name, for the log: "no connection: Connection
/// refused", "message rejected, reason code 135".
std::string failure_of(const BrokerDelivery& delivery);
/// The reply that follows from this delivery alone.
protocol::Reply reply_of(const BrokerDelivery& delivery);
/// The reply to a request whose deliveries are all settled.
protocol::Reply reply_of(PendingRequest& pending);

}  // namespace sluice::ledger
