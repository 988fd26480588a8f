// A message's path through the pool: into the queue or a backlog, to a link, and out.
#include <algorithm>
#include <cassert>
#include <functional>
#include <utility>

#include "mqtt/pool/pool.h"

namespace sluice::mqtt {
namespace {

/// On a Ready link, a device with more messages stays pinned, so that the work per message is
/// bounded.
constexpr std::size_t kFewPinned = 16;

}  // namespace

void Pool::accept(Delivery& delivery) noexcept {
  assert(!stopped_);
  Device& device = table_for(delivery.qos).get(delivery.device_id);
  delivery.device = &device;
  delivery.totals = &totals_;
  delivery.arrival = ++arrivals_;
  const bool others_first = device.queued > 0 || (device.link == nullptr && !queue_.empty());
  if (others_first) {
    enqueue(delivery);
    return;
  }
  Link* pinned = pinned_link(delivery);
  // pinned_link() is null for QoS 0 only if no link has room.
  const bool may_choose = pinned == nullptr && delivery.qos != 0;
  Link* link = may_choose ? ready_links_.choose(delivery) : pinned;
  if (link != nullptr && link->backlog().is_empty() && link->has_room_for(delivery) &&
      has_budget_for(delivery)) {
    hand_over(*link, delivery);
  } else if (pinned != nullptr) {
    pin(*pinned, delivery);
    note_may_send(slot_of(*pinned));
  } else {
    enqueue(delivery);
    pump_.schedule();  // choose() compares only some links: another may have room
  }
}

void Pool::give_up(Delivery& delivery) noexcept {
  delivery.abandon();
  Link* link = delivery.link;
  switch (delivery.state()) {
    case State::Idle:
      delivery.move_to(State::Done);
      return;
    case State::Queued:
    case State::Pinned:
      unlink(delivery);
      delivery.move_to(State::Done);
      tidy(delivery);
      break;
    case State::InFlight:
    case State::Resend:
      if (link->give_up(delivery)) {
        delivery.move_to(State::Done);
        release(delivery);
      }
      break;
    case State::Fenced:
    case State::Done:
      return;
  }
  if (link != nullptr) note_may_send(slot_of(*link));      // the messages behind it
  if (slots_.size() > wanted_slots_) replace_.schedule();  // a removed slot may have waited for it
  pump_.schedule();
}

/// Finishes a delivery that has left its list.
void Pool::finish(Delivery& delivery, DeliveryOutcome outcome) noexcept {
  delivery.finish(std::move(outcome));
  release(delivery);
  if (waits_for_inflight_bytes_) pump_.schedule();
  events_.on_done(delivery);
}

/// The delivery is Done: unpins its device if nothing else keeps it pinned.
void Pool::release(Delivery& delivery) noexcept {
  Device& device = *delivery.device;
  if (device.unacked == 0 && !device.pinned.empty()) unpin(device);
  tidy(delivery);
}

/// With nothing unacknowledged, any link may take the device's pinned messages. They go to the
/// front of the queue, being older than the device's messages there; those of other devices they
/// may overtake. Otherwise the devices of a crowded link would wait while other links are idle.
void Pool::unpin(Device& device) noexcept {
  Slot& slot = slot_of(*device.link);
  if (has_qos0_affinity(device)) return;
  if (slot.link.state() == LinkState::Ready) {
    const bool is_first = &slot.link.backlog().front() == &device.pinned.front();
    if (is_first || device.pinned.size() > kFewPinned) return;
  }
  Delivery* former_front = queue_.empty() ? nullptr : &queue_.front();
  while (!device.pinned.empty())
    move_to_queue(slot, device.pinned.front(), former_front);
  pump_.schedule();
}

/// Its pinned messages are QoS 0, and may take no other link while this one is connected.
bool Pool::has_qos0_affinity(Device& device) noexcept {
  return device.pinned.front().qos == 0 && keeps_qos0_affinity(*device.link);
}

/// From a backlog to the queue, before `position`; null: to its end.
void Pool::move_to_queue(Slot& slot, Delivery& delivery, Delivery* position) noexcept {
  Device& device = *delivery.device;
  take_from_backlog(slot, delivery);
  delivery.link = nullptr;
  if (position != nullptr) {
    queue_.insert_before(delivery, *position);
  } else {
    queue_.push_back(delivery);
  }
  delivery.move_to(State::Queued);
  if (!device.pinned.empty()) return;
  device.link = nullptr;
  note_unbound(delivery);
}

/// The delivery is Done: unpins or forgets its device if nothing else needs it.
void Pool::tidy(Delivery& delivery) noexcept {
  Device& device = *std::exchange(delivery.device, nullptr);
  if (table_for(delivery.qos).tidy(device)) note_unbound(delivery);
}

/// Called only after reconnecting, so that evidence for another cause can clear the message in the
/// meantime.
void Pool::reject_poison(Link& link) noexcept {
  Delivery& delivery = link.resend_queue().front();
  log_.rejected(loop_.now(), link.slot(), delivery.device_id);
  rejected_topics_.add(delivery.device_id, delivery.request->topic(), delivery.strike_code,
                       loop_.now());
  link.remove_poison();
  finish(delivery, {.kind = DeliveryOutcome::Kind::Rejected,
                    .reason_code = delivery.strike_code,
                    .may_be_published = true,
                    .detail = "the broker disconnected twice on this message"});
}

bool Pool::has_budget_for(const Delivery& delivery) noexcept {
  if (waits_for_inflight_bytes_) return false;
  const bool fits = totals_.inflight_bytes == 0 ||
                    totals_.inflight_bytes + delivery.bytes <= broker_.inflight_bytes;
  waits_for_inflight_bytes_ = !fits;
  return fits;
}

/// The only link that keeps the order of the message's device: that of its unfinished messages, or
/// its QoS 0 link. Null: any link may take it; for QoS 0: no link has room.
Link* Pool::pinned_link(const Delivery& delivery) noexcept {
  if (delivery.device->link != nullptr) return delivery.device->link;
  return delivery.qos == 0 ? qos0_link_of(delivery) : nullptr;
}

/// QoS 0 is not acknowledged, so sluice cannot know when the broker has read a message. A device's
/// QoS 0 messages keep their order only on one link, as long as that is connected; a substitute for
/// a lost link is kept as well.
Link* Pool::qos0_link_of(const Delivery& delivery) noexcept {
  const std::size_t entry = std::hash<std::int64_t>{}(delivery.device_id) % qos0_affinity_.size();
  Link*& used = qos0_affinity_[entry];
  if (used != nullptr && keeps_qos0_affinity(*used)) return used;
  used = wanted_slots_ == 0 ? nullptr : &slots_[entry % wanted_slots_]->link;
  if (used == nullptr || used->state() != LinkState::Ready)
    used = ready_links_.next_with_room(delivery);
  return used;
}

/// A draining link keeps it: when the broker closes that connection, it has read everything.
bool Pool::keeps_qos0_affinity(const Link& link) noexcept {
  return link.state() == LinkState::Ready || link.state() == LinkState::Replacing ||
         link.state() == LinkState::Retiring;
}

void Pool::hand_over(Link& link, Delivery& delivery) noexcept {
  if (delivery.state() == State::Resend) {
    ++counters_.redelivered;
  } else {
    delivery.device->link = &link;
  }
  if (delivery.request->properties() != nullptr &&
      scheduler_.protocol() == config::Protocol::V311 &&
      !std::exchange(has_warned_of_properties_, true)) {
    log::warn(log::Subject::broker(broker_.name),
              "MQTT 3.1.1 has no properties; dropping those of messages");
  }
  if (auto refusal = link.hand_over(delivery)) finish(delivery, std::move(*refusal));
}

void Pool::enqueue(Delivery& delivery) noexcept {
  queue_.push_back(delivery);
  delivery.move_to(State::Queued);
}

void Pool::pin(Link& link, Delivery& delivery) noexcept {
  delivery.link = &link;
  delivery.device->link = &link;  // later messages of this device queue behind it
  link.backlog().push_back(delivery);
}

/// Removes it from the queue or its link's backlog; its move to another state has to follow.
void Pool::unlink(Delivery& delivery) noexcept {
  if (delivery.state() == State::Queued) {
    queue_.remove(delivery);
  } else {
    take_from_backlog(slot_of(*delivery.link), delivery);
  }
}

void Pool::take_from_backlog(Slot& slot, Delivery& delivery) noexcept {
  slot.link.backlog().remove(delivery);
  note_room_in_backlog(slot);
}

/// The link may be able to send more: lists it by its room, and as due if it has resends or a
/// backlog.
void Pool::note_may_send(Slot& slot) noexcept {
  ready_links_.note(slot);
  Link& link = slot.link;
  const bool has_own =
      link.is_resending() || (link.state() == LinkState::Ready && !link.backlog().is_empty());
  if (has_own && !due_.holds(slot)) due_.push_back(slot);
  pump_.schedule();
}

/// Round-robin over the links that are due, then the shared queue. A link blocked by inflight_bytes
/// is served first in the next turn, until it has made progress.
void Pool::pump() noexcept {
  waits_for_inflight_bytes_ = false;
  if (is_refusing() && totals_.waiting.items() > 0) refuse_queued();
  for (std::size_t left = due_.size(); left > 0; --left) {
    Slot& slot = due_.front();
    const std::size_t before = totals_.inflight_bytes;
    pump_link(slot);
    if (waits_for_inflight_bytes_ && totals_.inflight_bytes == before) break;
    due_.remove(slot);
    if (!waits_for_inflight_bytes_) continue;
    due_.push_back(slot);
    break;
  }
  if (!waits_for_inflight_bytes_) pump_queue();
  serve_waiters();
}

void Pool::pump_link(Slot& slot) noexcept {
  Link& link = slot.link;
  ResendQueue& again = link.resend_queue();
  while (link.is_resending() && PoisonDetector::is_poison(again.front()))
    reject_poison(link);
  while (link.can_resend() && has_budget_for(again.front())) {
    hand_over(link, again.front());
  }
  pump_older(link);
  while (!link.backlog().is_empty() && link.has_room_for(link.backlog().front()) &&
         has_budget_for(link.backlog().front())) {
    Delivery& delivery = link.backlog().front();
    unlink(delivery);
    hand_over(link, delivery);
    pump_older(link);
  }
  ready_links_.note(slot);  // without resends left it has room for other messages
}

/// Queued messages that are older than the link's backlog go first. Otherwise devices that always
/// have unacknowledged messages, and so stay pinned, would starve all others.
void Pool::pump_older(Link& link) noexcept {
  while (!queue_.empty() && !link.backlog().is_empty() &&
         queue_.front().arrival < link.backlog().front().arrival) {
    if (!pump_front(&link)) return;
  }
}

void Pool::pump_queue() noexcept {
  while (!queue_.empty() && pump_front(nullptr)) {
  }
}

/// Moves the queue's front to its pinned link or into that link's backlog. If it is not pinned, to
/// `taker`, or to any link if that is null. False: it has to wait.
bool Pool::pump_front(Link* taker) noexcept {
  Delivery& delivery = queue_.front();
  Link* link = pinned_link(delivery);
  if (link != nullptr && (!link->backlog().is_empty() || !link->has_room_for(delivery))) {
    unlink(delivery);
    pin(*link, delivery);  // it does not block the queue any longer
    return true;
  }
  if (link == nullptr) link = link_with_room(delivery, taker);
  if (link == nullptr || !has_budget_for(delivery)) return false;
  unlink(delivery);
  hand_over(*link, delivery);
  return true;
}

Link* Pool::link_with_room(const Delivery& delivery, Link* taker) noexcept {
  if (delivery.qos == 0) return nullptr;  // see pinned_link(): no link has room
  if (taker == nullptr) return ready_links_.next_with_room(delivery);
  return taker->has_room_for(delivery) ? taker : nullptr;
}

/// The link accepts nothing any more: its devices with nothing unacknowledged may take any link.
/// Their messages return to the front of the queue, being older than the device's messages there.
void Pool::unpin_all(Slot& slot) noexcept {
  Link& link = slot.link;
  Delivery* former_front = queue_.empty() ? nullptr : &queue_.front();
  Delivery* next = link.backlog().is_empty() ? nullptr : &link.backlog().front();
  while (next != nullptr) {
    Delivery& delivery = *next;
    next = link.backlog().next(delivery);
    if (delivery.device->unacked > 0 || has_qos0_affinity(*delivery.device)) continue;
    move_to_queue(slot, delivery, former_front);
  }
  pump_.schedule();
}

}  // namespace sluice::mqtt
