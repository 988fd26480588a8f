// What a source hands requests to.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "base/clock.h"
#include "ledger/origin.h"
#include "protocol/request.h"

namespace sluice::ledger {

enum class WhenFull {
  Wait,    ///< the request waits in turn, and its origin with it
  Refuse,  ///< it is not taken
};

/// On which terms a request is handed in.
struct Terms {
  std::string_view broker = {};  ///< just this one, whatever its range; empty: all on the route
  std::optional<TimePoint> deadline = {};  ///< none: it is not given up for time
  WhenFull when_full = WhenFull::Wait;
  std::chrono::nanoseconds received{};  ///< when it was read whole, by Loop::precise_now()
};

enum class Taken {
  Accepted,  ///< it will be settled
  Settled,   ///< it was settled from inside the call
  Waits,     ///< it waits for room: the origin submits nothing more until Source::grant()
  Full,      ///< not taken; the request is as it was. Only with WhenFull::Refuse
};

/// Implemented by the ledger, and by what stands between a source and the ledger: that one is a
/// source of its own towards what follows.
class Intake {
 public:
  /// Takes the request over, except where it is Full. Not to be called from inside a call of
  /// Source.
  virtual Taken submit(const Origin& origin, protocol::Request& request,
                       const Terms& terms) noexcept = 0;
  /// The origin's stream is gone: what waits of it is dropped without a word, what was accepted
  /// goes on. Not to be called from inside a call of Source.
  virtual void forget(const Origin& origin) noexcept = 0;

 protected:
  ~Intake() = default;
};

}  // namespace sluice::ledger
