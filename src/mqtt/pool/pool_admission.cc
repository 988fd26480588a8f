// Which requests a pool takes, and those that wait until it does.
#include "mqtt/link/packet_size.h"
#include "mqtt/pool/pool.h"

namespace sluice::mqtt {

std::optional<Outcome> Pool::announced_refusal(const protocol::Request& request) const {
  const Link* link = ready_links_.any();
  if (link == nullptr) return std::nullopt;
  return mqtt::announced_refusal(link->connack(), request);
}

/// The slot in whose line the request would wait, because its device is bound to that link; null:
/// it would wait in the queue.
Slot* Pool::slot_bound_to(const protocol::Request& request) noexcept {
  const Device* device = table_for(request).find(request.device_id);
  const bool is_bound = device != nullptr && device->link != nullptr && device->in_queue == 0;
  return is_bound ? &slot_of(*device->link) : nullptr;
}

Admission Pool::admission(const protocol::Request& request, bool in_turn) noexcept {
  if (stopped_) return Admission::Dead;
  const Slot* bound = slot_bound_to(request);
  const bool line_is_full = bound != nullptr && !bound->line.has_room_for(request.bytes());
  if (line_is_full || !waiting_.has_room_for(request.bytes())) {
    if (is_dead()) return Admission::Dead;
    return line_is_full ? Admission::NoRoomInLine : Admission::NoRoom;
  }
  if (in_turn || waiters_.size() == 0 || is_dead()) return Admission::Welcome;
  const bool line_is_awaited = bound != nullptr && !bound->waiters.devices.empty();
  if (line_is_awaited && !bound->line.is_below_low()) return Admission::NoRoomInLine;
  if (waiters_.is_any_awake() && !waiting_.is_below_low()) return Admission::NoRoom;
  return Admission::Welcome;
}

void Pool::wait(Waiter& waiter, const protocol::Request& request, Admission refused) {
  Slot* bound = refused == Admission::NoRoomInLine ? slot_bound_to(request) : nullptr;
  waiters_.add(waiter, request, bound != nullptr ? bound->waiters : queue_waiters_);
  waiters_.wake(queue_waiters_);
}

void Pool::stop_waiting(Waiter& waiter) noexcept {
  if (waiter.device == nullptr) return;
  waiters_.wake(*waiter.device->list);  // the next one may need less room
  waiters_.remove(waiter);
  pump_.schedule();
}

void Pool::note_room_in_line(Slot& slot) noexcept {
  if (slot.waiters.devices.empty() || !slot.line.is_below_low()) return;
  waiters_.wake(slot.waiters);
  pump_.schedule();
}

/// The device is bound to no link: what it waits for, if it does, is not that link's line any more.
void Pool::note_unbound(const protocol::Request& request) noexcept {
  WaitingDevice* device = waiters_.size() == 0 ? nullptr : waiters_.find(request);
  if (device == nullptr) return;
  waiters_.move(*device, queue_waiters_);
  waiters_.wake(queue_waiters_);
  pump_.schedule();
}

/// Costs what it serves: a line that is full again rests, and a device that has been bound to a
/// link with a full line goes to that one's waiters with all of its own.
void Pool::serve_waiters() noexcept {
  if (!waiting_.is_below_low() && !is_dead()) return;
  while (Waiter* next = waiters_.next()) {
    const Admission admission = this->admission(*next->wanted, /*in_turn=*/true);
    if (admission == Admission::NoRoom) return;
    if (admission == Admission::NoRoomInLine) {
      WaitList& line = slot_bound_to(*next->wanted)->waiters;
      waiters_.move(*next->device, line);
      waiters_.rest(line);
    } else {
      waiters_.pop();
      events_.on_room(*next);
    }
  }
}

}  // namespace sluice::mqtt
