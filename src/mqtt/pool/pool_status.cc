// Why and since when a pool, or one of its slots, has no connection, or acknowledges nothing: for
// replies and the operator.
#include <fmt/format.h>

#include <algorithm>

#include "mqtt/pool/pool.h"

namespace sluice::mqtt {

/// A loss, or a failed attempt. sluice's own closing is no error.
void Pool::note_error(Slot& slot, const Loss& loss, LinkState lost_in) {
  if (loss.kind == Loss::Kind::Closed) return;
  slot.last_error = loss.text;
  last_error_ = loss.text;
  outage_reason_ = loss.text;
  if (lost_in == LinkState::Connecting)
    ++counters_.connect_failures.at(static_cast<std::size_t>(failure_reason(loss)));
}

ConnectionStatus Pool::status() const {
  ConnectionStatus status{.last_error = last_error_};
  if (ready_ == 0) status.down_since = was_connected_ ? last_connected_ : created_at_;
  for (const auto& slot : slots_) {
    const std::optional<TimePoint> next = next_attempt(*slot);
    if (next) status.next_attempt = std::min(*next, status.next_attempt.value_or(*next));
  }
  const std::optional<TimePoint> urgent = scheduler_.urgent_at();
  if (urgent && status.next_attempt) status.next_attempt = std::min(*status.next_attempt, *urgent);
  return status;
}

ConnectionStatus Pool::status_of(std::size_t number) const {
  const Slot& slot = *slots_[number];
  return {.last_error = slot.last_error,
          .down_since = slot.down_since,
          .next_attempt = next_attempt(slot)};
}

std::optional<TimePoint> Pool::next_attempt(const Slot& slot) const noexcept {
  const LinkState state = slot.link.state();
  const bool is_down = state == LinkState::Backoff || state == LinkState::Idle;
  if (!is_down || !started_ || stopped_ || !is_wanted(slot)) return std::nullopt;
  // Without a delay of its own it waits for its turn.
  return slot.link.delayed_until().value_or(std::max(loop_.now(), scheduler_.paused_until()));
}

std::string Pool::outage() const {
  if (const auto since = silent_since()) {
    return fmt::format(
        "no acknowledgement for {} s",
        std::chrono::duration_cast<std::chrono::seconds>(loop_.now() - *since).count());
  }
  return outage_reason_.empty() ? "no connection yet" : "no connection: " + outage_reason_;
}

std::string Pool::describe_outage() const {
  return fmt::format("broker {}{} {}", broker_.name, silent_since() ? ":" : " has", outage());
}

std::optional<TimePoint> Pool::silent_since() const noexcept {
  return ready_ > 0 ? ack_watch_.silent_since() : std::nullopt;
}

void Pool::check_acknowledgements() noexcept {
  AckWatch::Sight sight;
  for (const auto& slot : slots_)
    sight.add(slot->link);
  const std::optional<TimePoint> since = ack_watch_.silent_since();
  const TimePoint now = loop_.now();
  switch (ack_watch_.look(now, AckWatch::patience(broker_.ack_timeout), sight)) {
    case AckWatch::Change::None:
      break;
    case AckWatch::Change::Silent:
      log_.silent(now, now - *ack_watch_.silent_since(), in_flight());
      break;
    case AckWatch::Change::Acknowledging:
      log_.silence_ended(now - *since, /*acknowledges=*/true);
      break;
    case AckWatch::Change::NothingAwaited:
      log_.silence_ended(now - *since, /*acknowledges=*/false);
      break;
  }
}

}  // namespace sluice::mqtt
