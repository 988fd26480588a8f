// Where requests come from, and where their replies go.
#pragma once

#include <string>

#include "base/log.h"
#include "ledger/origin.h"
#include "protocol/reply.h"
#include "protocol/request.h"

namespace sluice::mqtt {
struct DeliveryOutcome;
}

namespace sluice::ledger {

/// A source submits nothing from within these calls, but at the end of its turn. A call may come
/// from within Intake::submit(), before that returns. A source outlives its requests.
class Source {
 public:
  /// One broker's result: acknowledged, rejected or given up (a later acknowledgement is not
  /// reported). Called once for each delivery, before settled(); not at all for a request that is
  /// answered before a broker was asked.
  virtual void delivered(const Origin& origin, const std::string& broker,
                         const mqtt::DeliveryOutcome& outcome) noexcept = 0;
  /// The answer. Called exactly once for each request, except after Full and for a request that
  /// waited when its origin was forgotten. Returns the request, so that its memory is reused.
  virtual void settled(const Origin& origin, const protocol::Reply& reply,
                       protocol::Request request) noexcept = 0;
  /// The waiting request is accepted or settled. Room for `most` more like it is reserved until the
  /// end of the next turn. Returns how many of them the origin will submit at most; the rest of the
  /// room is released at once.
  virtual unsigned grant(const Origin& origin, unsigned most) noexcept = 0;
  /// The origin's name in log lines, also after its stream is closed.
  virtual log::Subject about(const Origin& origin) const noexcept = 0;

 protected:
  ~Source() = default;
};

}  // namespace sluice::ledger
