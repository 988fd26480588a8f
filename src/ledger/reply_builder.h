// From what the brokers did to the one reply that the source gets.
#pragma once

#include "ledger/pending_request.h"
#include "protocol/errors.h"
#include "protocol/reply.h"

namespace sluice::ledger {

/// Acknowledged: no error.
bool is_ok(const BrokerDelivery& delivery) noexcept;
/// What one delivery that is settled counts as; only where it is not ok.
protocol::ErrorKind error_of(const BrokerDelivery& delivery) noexcept;
/// The reply to a request of which this delivery decides alone.
protocol::Reply reply_of(const BrokerDelivery& delivery);
/// The reply to a request whose deliveries are all settled.
protocol::Reply reply_of(PendingRequest& pending);

}  // namespace sluice::ledger
