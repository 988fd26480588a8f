// Which links of a pool connect, and when.
#include "mqtt/pool/pool.h"

namespace sluice::mqtt {

/// Called by the ConnectScheduler; an error: the broker's host name has no address.
void Pool::attempt(Link& link, const Result<std::string>& address) noexcept {
  if (address) {
    link.connect(address.value(), scheduler_.protocol());
  } else {
    link.fail_attempt({Loss::Kind::Unreachable, 0, address.error().what, FailureReason::Name});
  }
  take_news(slot_of(link));
}

bool Pool::wants_connection(const Slot& slot) const noexcept {
  return started_ && (is_wanted(slot) || !slot.link.is_clean());
}

/// The broker has just accepted a connection: failed attempts of other links are repeated at once.
void Pool::retry_others(bool also_refused) noexcept {
  for (const auto& slot : slots_) {
    const Loss::Kind loss = slot->link.latest_loss();
    const bool has_failed = loss == Loss::Kind::Unreachable || loss == Loss::Kind::Unanswered ||
                            (also_refused && loss == Loss::Kind::Refused);
    if (!has_failed || !slot->link.is_backing_off()) continue;
    slot->link.skip_delay();
    take_news(*slot);
  }
}

/// Called by the ConnectScheduler, while no connection is up. Takes the links in turn, those with
/// messages to send again first.
void Pool::hurry() noexcept {
  Slot* chosen = nullptr;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    Slot& slot = *slots_[(next_hurried_ + i) % slots_.size()];
    if (!slot.link.is_backing_off() || !wants_connection(slot)) continue;
    const bool resends = !slot.link.resend_queue().is_empty();
    if (chosen == nullptr || resends) chosen = &slot;
    if (resends) break;
  }
  if (chosen == nullptr) return;
  next_hurried_ = chosen->link.slot() + 1;
  chosen->link.skip_delay();
  take_news(*chosen);
}

}  // namespace sluice::mqtt
