// From what the brokers did to the one reply the client gets.
#pragma once

#include "ledger/entry.h"
#include "protocol/reply.h"

namespace sluice::ledger {

/// How the copy fared, as far as a pool's outcome tells.
CopyResult result_of(const Copy& copy, const mqtt::Outcome& outcome);
/// How a copy fared that was given up at its deadline.
CopyResult result_at_deadline(const Copy& copy);

/// The reply to a entry whose copies are all settled.
protocol::Reply reply_of(Entry& entry);

}  // namespace sluice::ledger
