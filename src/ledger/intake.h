// The interface to which a source submits requests.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "base/clock.h"
#include "ledger/origin.h"
#include "protocol/request.h"

namespace sluice::ledger {

enum class WhenFull {
  Wait,    ///< the request waits for its turn, and its origin with it
  Refuse,  ///< submit() returns Full
};

/// The conditions of one submit().
struct Terms {
  std::string_view broker = {};  ///< only this broker, whatever its range; empty: all of the device
  std::optional<TimePoint> deadline = {};  ///< none: the request never times out
  WhenFull when_full = WhenFull::Wait;
  std::chrono::nanoseconds received{};  ///< when it was decoded, by Loop::precise_now()
};

enum class Taken {
  Accepted,  ///< Source::settled() will follow
  Settled,   ///< Source::settled() was called from within submit()
  Waits,     ///< it waits for room: the origin submits nothing more until Source::grant()
  Full,      ///< not taken, the request is unchanged. Only with WhenFull::Refuse
};

/// Implemented by the ledger, and by stages between a source and the ledger. Such a stage is also
/// the Source of the requests that it passes on.
class Intake {
 public:
  /// Takes ownership of the request, unless it returns Full. Not to be called from within a call of
  /// Source.
  virtual Taken submit(const Origin& origin, protocol::Request& request,
                       const Terms& terms) noexcept = 0;
  /// The origin's stream is closed: its waiting request is dropped without a reply, accepted ones
  /// go on. Not to be called from within a call of Source.
  virtual void forget(const Origin& origin) noexcept = 0;

 protected:
  ~Intake() = default;
};

}  // namespace sluice::ledger
