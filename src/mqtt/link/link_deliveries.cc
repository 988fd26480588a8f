// How deliveries go through a link: handing over, acknowledging, fencing.
#include <utility>

#include "mqtt/link/announced_refusal.h"
#include "mqtt/link/link.h"
#include "mqtt/reason_codes.h"

namespace sluice::mqtt {

// --- deliveries
// -----------------------------------------------------------------------------------

std::optional<DeliveryOutcome> Link::hand_over(Delivery& delivery) noexcept {
  if (delivery.state() == State::Resend) resend_queue_.remove(delivery);
  if (state_ != LinkState::Ready) check_replacement_soon();
  delivery.sent_again = delivery.handed_over;
  if (std::optional<DeliveryOutcome> refusal = refusal_of(delivery)) {
    poison_.note_left(in_flight_.size());
    refusal->may_be_published = delivery.sent_again;
    return refusal;
  }
  std::uint16_t packet_id = 0;
  const PublishStatus status = transport_->publish(*delivery.request, packet_id);
  if (status == PublishStatus::Refused) {
    poison_.note_left(in_flight_.size());
    return DeliveryOutcome{.kind = DeliveryOutcome::Kind::Rejected,
                           .reason_code = reason::kTopicNameInvalid,
                           .may_be_published = delivery.sent_again,
                           .detail = "the message does not fit into an MQTT packet"};
  }
  in_flight_.add(delivery, loop_.now());
  delivery.link = this;
  delivery.handed_over = true;
  flush_soon();  // reports a Broken connection, too
  if (status == PublishStatus::Queued) in_flight_.identify(delivery, packet_id);
  if (delivery.qos > 0) newest_unflushed_ = delivery.sequence;
  note_window();
  return std::nullopt;
}

void Link::flush_soon() noexcept {
  flushes_ = true;
  turn_end_.schedule();
}

void Link::check_replacement_soon() noexcept {
  checks_replacement_ = true;
  turn_end_.schedule();
}

void Link::on_turn_end() noexcept {
  if (std::exchange(flushes_, false)) flush();
  if (std::exchange(checks_replacement_, false)) check_replacement();
  has_news_();
}

void Link::flush() noexcept {
  if (!is_connected()) return;
  const std::uint64_t newest = std::exchange(newest_unflushed_, 0);
  if (newest != 0 && window_.wants_probe()) {
    window_.start_probe(newest, in_flight_.size(), loop_.precise_now());
  }
  transport_->flush();
  // The window may have changed: a probe just started, or another link resized it.
  if (note_window()) news_.has_room = true;
  transport_->expect_acks(acks_to_expect());
  if (transport_->is_congested()) news_.was_full = true;
}

Delivery* Link::acknowledge(std::uint16_t packet_id) noexcept {
  Delivery* delivery = in_flight_.acknowledge(packet_id, loop_.now());
  if (delivery == nullptr) return nullptr;
  if (window_.is_probe(delivery->sequence)) {
    window_.end_probe(delivery->qos == 2 ? 2 : 1, loop_.precise_now());
  }
  const bool was_full = was_full_;
  note_window();
  poison_.note_left(in_flight_.size());
  if (in_flight_.abandoned() > 0 || state_ != LinkState::Ready) check_replacement_soon();
  // After the pool has filled the window again: fewer acknowledgements are to be expected.
  if (was_full) flush_soon();
  return delivery;
}

bool Link::give_up(Delivery& delivery) noexcept {
  if (delivery.state() == State::Resend) {
    remove_from_resend(delivery);
    const bool is_over = is_connected() || state_ == LinkState::Idle;
    if (!is_over) fence(delivery);
    return is_over;
  }
  in_flight_.note_abandoned();
  if (note_window()) flush_soon();
  check_replacement_soon();
  return false;
}

void Link::remove_poison() noexcept {
  remove_from_resend(resend_queue_.front());
}

void Link::remove_from_resend(Delivery& delivery) noexcept {
  resend_queue_.remove(delivery);
  poison_.note_left(in_flight_.size());
  if (is_connected() && state_ != LinkState::Ready) check_replacement_soon();
}

/// The broker may read from a lost connection after it has read newer messages from another. So an
/// abandoned message pins its device here until the next connection has taken the session over, or
/// the broker must have closed this one: after 1.5 keep alives [MQTT-3.1.2-24].
void Link::fence(Delivery& delivery) noexcept {
  fenced_.push_back(delivery);
  delivery.move_to(State::Fenced);
}

Delivery* Link::release_fenced() noexcept {
  if (has_fence_ended_ && !fenced_.empty()) return &fenced_.pop_front();
  has_fence_ended_ = false;
  return nullptr;
}

/// Checks each delivery once per announcement; a broker's CONNACKs usually announce the same.
std::optional<DeliveryOutcome> Link::refusal_of(Delivery& delivery) const {
  const std::uint64_t announcement = announcement_of(connack_, limits_);
  if (delivery.cleared_for == announcement) return std::nullopt;
  std::optional<DeliveryOutcome> refusal = announced_refusal(connack_, limits_, *delivery.request);
  if (!refusal) delivery.cleared_for = announcement;
  return refusal;
}

}  // namespace sluice::mqtt
