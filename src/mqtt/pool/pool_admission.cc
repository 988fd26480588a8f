// Admission control, and the requests that wait for room.
#include <algorithm>
#include <utility>

#include "mqtt/link/announced_refusal.h"
#include "mqtt/pool/pool.h"

namespace sluice::mqtt {
namespace {

/// Queued messages of a dead broker that are refused at one turn's end; the rest follow later.
constexpr std::size_t kRefusedAtOnce = 1000;

}  // namespace

std::optional<DeliveryOutcome> Pool::refusal_of(Delivery& delivery) {
  const int code =
      rejected_topics_.find(delivery.device_id, delivery.request->topic(), loop_.now());
  if (code >= 0) {
    return DeliveryOutcome{
        .kind = DeliveryOutcome::Kind::Rejected,
        .reason_code = code,
        .may_be_published = false,
        .detail =
            "less than a minute ago the broker disconnected twice on a message of "
            "this device and topic"};
  }
  const Link* link = ready_links_.any();
  return link == nullptr ? known_refusal(limits_, *delivery.request) : link->refusal_of(delivery);
}

/// The slot in whose backlog the request would wait, because its device is pinned there; null: it
/// would wait in the queue.
Slot* Pool::slot_bound_to(const protocol::Request& request) noexcept {
  const Device* device = table_for(request.qos).find(request.device_id);
  const bool is_bound = device != nullptr && device->link != nullptr && device->queued == 0;
  return is_bound ? &slot_of(*device->link) : nullptr;
}

Admission Pool::admission(const protocol::Request& request, bool in_turn) noexcept {
  if (stopped_ || is_refusing()) return Admission::Dead;
  const Slot* bound = slot_bound_to(request);
  const bool backlog_is_full =
      bound != nullptr && !bound->link.backlog().has_room_for(request.bytes());
  if (backlog_is_full || !totals_.waiting.has_room_for(request.bytes())) {
    if (is_dead()) return Admission::Dead;
    return backlog_is_full ? Admission::LinkBacklogFull : Admission::QueueFull;
  }
  if (in_turn || waiters_.size() == 0 || is_dead()) return Admission::Accept;
  const bool backlog_is_awaited = bound != nullptr && !bound->waiters.devices.empty();
  if (backlog_is_awaited && !bound->link.backlog().is_below_low())
    return Admission::LinkBacklogFull;
  if (waiters_.is_any_awake() && !totals_.waiting.is_below_low()) return Admission::QueueFull;
  return Admission::Accept;
}

void Pool::wait(Waiter& waiter, const protocol::Request& request, Admission refused) {
  Slot* bound = refused == Admission::LinkBacklogFull ? slot_bound_to(request) : nullptr;
  waiters_.add(waiter, request, bound != nullptr ? bound->waiters : queue_waiters_);
  waiters_.wake(queue_waiters_);
}

void Pool::stop_waiting(Waiter& waiter) noexcept {
  if (waiter.device == nullptr) return;
  waiters_.wake(*waiter.device->list);  // the next one may need less room
  waiters_.remove(waiter);
  pump_.schedule();
}

void Pool::note_room_in_backlog(Slot& slot) noexcept {
  if (slot.waiters.devices.empty() || !slot.link.backlog().is_below_low()) return;
  waiters_.wake(slot.waiters);
  pump_.schedule();
}

/// The device is pinned no longer: its waiting requests wait for the queue, not for a backlog.
void Pool::note_unbound(const Delivery& delivery) noexcept {
  WaitingDevice* device =
      waiters_.size() == 0 ? nullptr : waiters_.find(delivery.device_id, delivery.qos);
  if (device == nullptr) return;
  waiters_.move(*device, queue_waiters_);
  waiters_.wake(queue_waiters_);
  pump_.schedule();
}

unsigned Pool::room_for(const protocol::Request& like, unsigned most) noexcept {
  if (stopped_ || is_dead()) return 0;
  return static_cast<unsigned>(totals_.waiting.room_for(most, like.bytes()));
}

/// Assumes that the client's next requests are like the one that waited, and so reserves room in
/// the same backlog, as far as there is any.
void Pool::reserve(const protocol::Request& like, unsigned requests) noexcept {
  totals_.waiting.reserve(requests, requests * like.bytes());
  Slot* bound = slot_bound_to(like);
  if (bound == nullptr || !bound->link.backlog().reserve(requests, like.bytes())) return;
  if (!reserved_.holds(*bound)) reserved_.push_back(*bound);
}

void Pool::use_reserved(const protocol::Request& request, std::size_t bytes) noexcept {
  if (Slot* bound = slot_bound_to(request)) bound->link.backlog().release_one();
  release_reserved(1, bytes);
}

void Pool::release_reserved(unsigned requests, std::size_t bytes) noexcept {
  totals_.waiting.release(requests, requests * bytes);
  if (totals_.waiting.reserved() == 0) after_reservation();
}

/// All reserved room is released: waiters that it had stopped are served, above the low mark, too.
void Pool::after_reservation() noexcept {
  while (!reserved_.empty()) {
    Slot& slot = reserved_.pop_front();
    slot.link.backlog().release_all();
    waiters_.wake(slot.waiters);
  }
  if (waiters_.size() == 0) return;
  serves_above_low_mark_ = true;
  pump_.schedule();
}

/// Finishes what no connection was handed, kRefusedAtOnce messages at the end of a turn. What is to
/// be sent again keeps its deadline: it may have been published.
void Pool::refuse_queued() noexcept {
  std::size_t left = std::min(totals_.waiting.items(), kRefusedAtOnce);
  const auto refuse_front_of = [&](auto& list) {
    Delivery& delivery = list.front();
    unlink(delivery);
    finish(delivery, {});
    --left;
  };
  for (const auto& slot : slots_) {
    while (left > 0 && !slot->link.backlog().is_empty())
      refuse_front_of(slot->link.backlog());
  }
  while (left > 0 && !queue_.empty())
    refuse_front_of(queue_);
  if (totals_.waiting.items() > 0) pump_.schedule();
}

/// Work is proportional to the requests served: a full backlog's list is suspended, and a device
/// now pinned to a link with a full backlog moves to that link's waiters as a whole.
void Pool::serve_waiters() noexcept {
  if (!std::exchange(serves_above_low_mark_, false) && !totals_.waiting.is_below_low() &&
      !is_dead())
    return;
  while (Waiter* next = waiters_.next()) {
    const Admission admission = this->admission(*next->wanted, /*in_turn=*/true);
    if (admission == Admission::QueueFull) return;
    if (admission == Admission::LinkBacklogFull) {
      WaitList& backlog = slot_bound_to(*next->wanted)->waiters;
      waiters_.move(*next->device, backlog);
      waiters_.suspend(backlog);
    } else {
      waiters_.pop();
      events_.on_room(*next);
    }
  }
}

}  // namespace sluice::mqtt
