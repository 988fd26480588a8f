#include "mqtt/pool/ack_watch.h"

#include <utility>

#include "mqtt/link/link.h"

namespace sluice::mqtt {

void AckWatch::Sight::add(const Link& link) noexcept {
  last_acknowledged_ = std::max(last_acknowledged_, link.last_acknowledged());
  const std::optional<TimePoint> since = link.awaits_acknowledgement_since();
  if (since) waiting_since_ = std::min(waiting_since_, *since);
  is_anything_left_ = is_anything_left_ || since || link.has_resends();
  awaits_qos2_ = awaits_qos2_ || link.awaits_qos2();
}

AckWatch::Change AckWatch::look(TimePoint now, Duration patience, const Sight& sight) noexcept {
  if (silent_since_) {
    const bool is_acknowledging = sight.last_acknowledged_ > *silent_since_;
    if (!is_acknowledging && sight.is_anything_left_) return Change::None;
    silent_since_.reset();
    was_late_ = false;
    return is_acknowledging ? Change::Acknowledging : Change::NothingAwaited;
  }
  const TimePoint since = std::max(sight.waiting_since_, sight.last_acknowledged_);
  const Duration limit = sight.awaits_qos2_ ? 2 * patience : patience;
  const bool is_late = since != TimePoint::max() && now - since >= limit;
  if (!std::exchange(was_late_, is_late) || !is_late) return Change::None;
  silent_since_ = since;
  return Change::Silent;
}

}  // namespace sluice::mqtt
