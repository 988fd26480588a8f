// The names of the violations.
#include "violations.h"

namespace sluice::ledger_run {

const char* to_string(Breach kind) {
  switch (kind) {
    case Breach::NoReply:
      return "no reply";
    case Breach::TwoReplies:
      return "more than one reply";
    case Breach::BadReply:
      return "a reply that is not allowed";
    case Breach::OkNotRecorded:
      return "code 1, but not recorded";
    case Breach::OkTooEarly:
      return "code 1 before QoS 2 was complete";
    case Breach::NoButSent:
      return "published: no, but the broker got it";
    case Breach::RejectedNotRefused:
      return "rejected, but the broker did not refuse it";
    case Breach::FirstOutOfOrder:
      return "first arrivals out of order";
    case Breach::OutOfOrder:
      return "out of order on one connection";
    case Breach::OldAfterNew:
      return "repeated after a newer one that was acknowledged";
    case Breach::LastNotNewest:
      return "the last of a device is not its newest";
    case Breach::EarlyReply:
      return "given up before its deadline";
    case Breach::LateReply:
      return "settled too late";
    case Breach::SentAfterReply:
      return "sent after its reply";
    case Breach::TwiceOnConnection:
      return "twice on one connection";
    case Breach::NeedlessRefusals:
      return "refused in spite of time to send";
    case Breach::TwoConnections:
      return "two connections of one identifier";
    case Breach::ReceiveMaximum:
      return "more in flight than Receive Maximum";
    case Breach::Protocol:
      return "not allowed by MQTT";
    case Breach::ConnectionLost:
      return "a client's connection was closed";
    case Breach::BadEnd:
      return "sluice ended with a failure";
  }
  return "";
}

std::uint64_t Violations::total() const {
  std::uint64_t total = 0;
  for (const Kind& kind : kinds_)
    total += kind.count;
  return total;
}

}  // namespace sluice::ledger_run
