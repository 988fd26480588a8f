// Where requests come from, and where their replies go.
#pragma once

#include <string>

#include "base/log.h"
#include "ledger/origin.h"
#include "protocol/reply.h"
#include "protocol/request.h"

namespace sluice::mqtt {
struct Outcome;
}

namespace sluice::ledger {

/// Nothing is submitted from within these calls: what follows happens at the end of the source's
/// turn. A call may come from inside Intake::submit(), before that returns. A source outlives its
/// requests.
class Source {
 public:
  /// One broker's result is known: acknowledged, rejected, or given up; an acknowledgement that
  /// comes later is not reported. Once for each delivery, before the request is settled. A request
  /// answered before any broker was asked has none.
  virtual void delivered(const Origin& origin, const std::string& broker,
                         const mqtt::Outcome& outcome) noexcept = 0;
  /// The answer, exactly once for each request that was not refused as Full, unless its origin was
  /// forgotten while it waited. Gives the request back, whose memory serves others.
  virtual void settled(const Origin& origin, const protocol::Reply& reply,
                       protocol::Request request) noexcept = 0;
  /// The request that waited is accepted or settled. Until the end of the next turn there is room
  /// for `most` more like it, before others that wait; what the origin does not use lapses. Returns
  /// how many of them it is about to submit at most: the rest of the room is free for others now.
  virtual unsigned grant(const Origin& origin, unsigned most) noexcept = 0;
  /// The origin for log lines, also if it is gone.
  virtual log::Subject about(const Origin& origin) const noexcept = 0;

 protected:
  ~Source() = default;
};

}  // namespace sluice::ledger
