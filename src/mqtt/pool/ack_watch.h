// Notices a broker that holds its connections but acknowledges nothing, such as a frozen one.
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>

#include "base/clock.h"

namespace sluice::mqtt {

class Link;

/// A broker is silent once something of QoS 1 or 2 has waited for its acknowledgement for
/// patience(), or twice that with QoS 2 in flight, which takes two round trips, and meanwhile none
/// came on any connection. It is so until one comes, or until nothing is left to be acknowledged.
/// Not thread-safe.
class AckWatch {
 public:
  /// What one look at all links finds.
  class Sight {
   public:
    void add(const Link& link) noexcept;

   private:
    friend class AckWatch;
    TimePoint waiting_since_ = TimePoint::max();  // of the connection that waits longest
    TimePoint last_acknowledged_{};
    bool is_anything_left_ = false;  // unacknowledged, or to be sent again
    bool awaits_qos2_ = false;
  };
  enum class Change {
    None,
    Silent,          ///< it is silent from now on
    Acknowledging,   ///< an acknowledgement came
    NothingAwaited,  ///< all that waited was given up
  };

  /// A third of ack_timeout_ms, after which the connection is replaced; at least 1 s and at most
  /// 5 s.
  static Duration patience(Duration ack_timeout) noexcept {
    return std::clamp<Duration>(ack_timeout / 3, std::chrono::seconds(1), std::chrono::seconds(5));
  }

  /// To be called about twice a second. It takes two looks to find a broker silent: after a pause
  /// of sluice itself its acknowledgements are read between them.
  Change look(TimePoint now, Duration patience, const Sight& sight) noexcept;
  /// While it is silent: since when.
  std::optional<TimePoint> silent_since() const noexcept { return silent_since_; }

 private:
  std::optional<TimePoint> silent_since_;
  bool was_late_ = false;  // at the latest look
};

}  // namespace sluice::mqtt
