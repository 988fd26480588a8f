// The way of a message through the pool: into the queue or a line, on to a link, and out.
#include <algorithm>
#include <cassert>
#include <functional>
#include <utility>

#include "mqtt/pool/pool.h"

namespace sluice::mqtt {
namespace {

/// A device with more than this in line stays there, so that the work per message is bounded.
constexpr std::size_t kFewInLine = 16;

}  // namespace

void Pool::accept(Message& message) noexcept {
  assert(!stopped_ && message.place == Place::Nowhere);
  Device& device = table_for(*message.request).get(message.request->device_id);
  message.device = &device;
  message.arrival = ++arrivals_;
  const bool others_first = device.in_queue > 0 || (device.link == nullptr && !queue_.empty());
  if (others_first) {
    enqueue(message);
    return;
  }
  Link* owed = link_owed_to(message);
  Link* link = owed != nullptr ? owed : ready_links_.least_loaded(message);
  if (link != nullptr && link->line().empty() && link->has_room_for(message) &&
      has_budget_for(message)) {
    hand_over(*link, message);
  } else if (owed != nullptr) {
    put_in_line(*owed, message);
    look_at(slot_of(*owed));
  } else {
    enqueue(message);
    pump_.schedule();  // a link with room may not have been among those that were compared
  }
}

bool Pool::give_up(Message& message) noexcept {
  Link* link = message.link;
  bool is_gone = true;
  switch (message.place) {
    case Place::Queue:
    case Place::Line:
      unqueue(message);
      tidy(message);
      break;
    case Place::Resend:
      is_gone = link->give_up(message);
      if (is_gone) release(message);
      break;
    case Place::InFlight:
      is_gone = link->give_up(message);
      break;
    case Place::Lost:
    case Place::Nowhere:
      return true;
  }
  if (link != nullptr) look_at(slot_of(*link));  // what was behind it may go
  pump_.schedule();
  return is_gone;
}

void Pool::on_message_done(Message& message, const Outcome& outcome) noexcept {
  give_back(message);
  release(message);
  events_.on_message_done(message, outcome);
}

void Pool::on_message_kept(Message& message) noexcept {
  give_back(message);
}

void Pool::give_back(const Message& message) noexcept {
  inflight_bytes_ -= message.bytes();
  if (is_short_) pump_.schedule();
}

void Pool::on_message_over(Message& message) noexcept {
  release(message);
  events_.on_message_done(message, {.kind = Outcome::Kind::Dropped});
}

/// The message no longer counts as unacknowledged for its device.
void Pool::release(Message& message) noexcept {
  Device& device = *message.device;
  --device.unacked;
  if (device.unacked == 0 && !device.line.empty()) leave_line(device);
  tidy(message);
  message.device = nullptr;
}

/// Nothing of the device is unacknowledged, so that any link may take what it has in line here. It
/// goes to the front of the queue, being older than what is in there; otherwise the devices of a
/// link that has got too many of them would wait while others are idle.
void Pool::leave_line(Device& device) noexcept {
  Slot& slot = slot_of(*device.link);
  List<Message>& line = slot.link->line();
  if (is_at_home(device)) return;
  if (slot.link->state() == LinkState::Ready) {
    const bool stays = device.line.size() > kFewInLine || &line.front() == &device.line.front();
    if (stays) return;
  }
  Message* former_front = queue_.empty() ? nullptr : &queue_.front();
  while (!device.line.empty())
    move_to_queue(slot, device.line.front(), former_front);
  pump_.schedule();
}

/// What it has in line is QoS 0, which goes by no other link as long as this one has a connection.
bool Pool::is_at_home(Device& device) noexcept {
  return device.line.front().request->qos == 0 && is_home(*device.link);
}

/// From a line to the queue, before `position`, or to its end if that is null.
void Pool::move_to_queue(Slot& slot, Message& message, Message* position) noexcept {
  Device& device = *message.device;
  take_from_line(slot, message);
  message.place = Place::Queue;
  message.link = nullptr;
  if (position != nullptr) {
    queue_.insert_before(message, *position);
  } else {
    queue_.push_back(message);
  }
  ++device.in_queue;
  if (!device.line.empty()) return;
  device.link = nullptr;
  note_unbound(*message.request);
}

void Pool::tidy(const Message& message) noexcept {
  const protocol::Request& request = *message.request;
  if (table_for(request).tidy(*message.device)) note_unbound(request);
}

/// The broker hung up on this message twice, and is back: it is the message. Judged only now, so
/// that whatever speaks for another cause in the meantime is heard.
void Pool::reject_poison(Link& link) noexcept {
  Message& message = link.redelivery().front();
  log_.rejected(loop_.now(), link.slot(), message.device->id);
  link.give_up(message);
  release(message);
  events_.on_message_done(message, {.kind = Outcome::Kind::Rejected,
                                    .reason_code = message.hang_up_code,
                                    .may_be_published = true,
                                    .detail = "the broker hung up on this message twice"});
}

bool Pool::has_budget_for(const Message& message) noexcept {
  if (is_short_) return false;
  const bool fits =
      inflight_bytes_ == 0 || inflight_bytes_ + message.bytes() <= broker_.inflight_bytes;
  is_short_ = !fits;
  return fits;
}

/// The only link that may take a message without harm to the order of its device, if there is one:
/// where the device has something outstanding, or its link for QoS 0. Null for QoS 0: it has none,
/// and no link has room.
Link* Pool::link_owed_to(const Message& message) noexcept {
  if (message.device->link != nullptr) return message.device->link;
  return message.request->qos == 0 ? home_of(message) : nullptr;
}

/// QoS 0 is not acknowledged, so nobody can tell when the broker has read what a link was given:
/// a device's messages keep their order only if all of them take the same link as long as it lives.
/// So a substitute for a lost home stays, too.
Link* Pool::home_of(const Message& message) noexcept {
  const std::size_t home = std::hash<std::int64_t>{}(message.device->id) % homes_.size();
  Link*& used = homes_[home];
  if (used != nullptr && is_home(*used)) return used;
  used = wanted_slots_ == 0 ? nullptr : slots_[home % wanted_slots_]->link.get();
  if (used == nullptr || used->state() != LinkState::Ready)
    used = ready_links_.next_with_room(message);
  return used;
}

/// Of a connection that is being replaced the broker has read all once it has closed it.
bool Pool::is_home(const Link& link) noexcept {
  return link.state() == LinkState::Ready || link.is_winding_up();
}

void Pool::hand_over(Link& link, Message& message) noexcept {
  Device& device = *message.device;
  if (message.place == Place::Resend) {
    ++counters_.redelivered;
  } else {
    device.link = &link;
    ++device.unacked;
  }
  inflight_bytes_ += message.bytes();
  if (message.request->properties() != nullptr && connector_.protocol() == config::Protocol::V311 &&
      !std::exchange(dropped_properties_said_, true)) {
    log::warn(log::Subject::broker(broker_.name),
              "MQTT 3.1.1 knows no properties; those of messages are dropped");
  }
  link.hand_over(message);
}

void Pool::enqueue(Message& message) noexcept {
  message.place = Place::Queue;
  queue_.push_back(message);
  ++message.device->in_queue;
  waiting_.add(message.bytes());
}

void Pool::put_in_line(Link& link, Message& message) noexcept {
  message.place = Place::Line;
  message.link = &link;
  message.device->link = &link;  // what comes later of this device stays behind it
  link.line().push_back(message);
  message.device->line.push_back(message);
  waiting_.add(message.bytes());
  slot_of(link).line.add(message.bytes());
}

void Pool::unqueue(Message& message) noexcept {
  waiting_.remove(message.bytes());
  if (message.place == Place::Queue) {
    queue_.remove(message);
    --message.device->in_queue;
  } else {
    take_from_line(slot_of(*message.link), message);
  }
  message.place = Place::Nowhere;
}

void Pool::take_from_line(Slot& slot, Message& message) noexcept {
  slot.link->line().remove(message);
  message.device->line.remove(message);
  slot.line.remove(message.bytes());
  note_room_in_line(slot);
}

/// The link may be able to send more: lists it by its room, and among those that the next pump()
/// serves if it has something of its own to send.
void Pool::look_at(Slot& slot) noexcept {
  ready_links_.note(slot);
  Link& link = *slot.link;
  const bool has_own = !link.line().empty() || !link.redelivery().is_empty();
  if (link.state() == LinkState::Ready && has_own && !due_.holds(slot)) due_.push_back(slot);
  pump_.schedule();
}

/// Serves the links that are due, then the queue. A link that waits for inflight_bytes stays first
/// until it has got something; then the others have their turn.
void Pool::pump() noexcept {
  is_short_ = false;
  for (std::size_t left = due_.size(); left > 0; --left) {
    Slot& slot = due_.front();
    const std::size_t before = inflight_bytes_;
    pump_link(slot);
    if (is_short_ && inflight_bytes_ == before) break;
    due_.remove(slot);
    if (!is_short_) continue;
    due_.push_back(slot);
    break;
  }
  if (!is_short_) pump_queue();
  serve_waiters();
}

void Pool::pump_link(Slot& slot) noexcept {
  Link& link = *slot.link;
  Redelivery& again = link.redelivery();
  while (link.state() == LinkState::Ready && !again.is_empty() &&
         Redelivery::is_poison(again.front())) {
    reject_poison(link);
  }
  while (link.can_resend() && has_budget_for(again.front())) {
    hand_over(link, again.front());
  }
  pump_older(link);
  while (!link.line().empty() && link.has_room_for(link.line().front()) &&
         has_budget_for(link.line().front())) {
    Message& message = link.line().front();
    unqueue(message);
    hand_over(link, message);
    pump_older(link);
  }
  ready_links_.note(slot);  // it has room for others once there is nothing left to be sent again
}

/// What is in the queue and older than the link's line goes first. Otherwise devices that always
/// have something outstanding, and so keep their links, would keep all others waiting.
void Pool::pump_older(Link& link) noexcept {
  while (!queue_.empty() && !link.line().empty() &&
         queue_.front().arrival < link.line().front().arrival) {
    if (!pump_front(&link)) return;
  }
}

void Pool::pump_queue() noexcept {
  while (!queue_.empty() && pump_front(nullptr)) {
  }
}

/// The queue's front goes on: to its own link, or into that one's line; if it owes nothing to a
/// link, to `taker`, or to any where that is null. False: it has to wait.
bool Pool::pump_front(Link* taker) noexcept {
  Message& message = queue_.front();
  Link* link = link_owed_to(message);
  if (link != nullptr && (!link->line().empty() || !link->has_room_for(message))) {
    unqueue(message);
    put_in_line(*link, message);  // behind its own, and out of the others' way
    return true;
  }
  if (link == nullptr) link = free_choice(message, taker);
  if (link == nullptr || !has_budget_for(message)) return false;
  unqueue(message);
  hand_over(*link, message);
  return true;
}

Link* Pool::free_choice(const Message& message, Link* taker) noexcept {
  if (message.request->qos == 0) return nullptr;  // its link is one that has room, or there is none
  if (taker == nullptr) return ready_links_.next_with_room(message);
  return taker->has_room_for(message) ? taker : nullptr;
}

/// The line of a link that takes nothing any more: devices that left nothing unacknowledged there
/// may go to any link. They go back to the front of the queue, being older than what is in it.
void Pool::free_line(Slot& slot) noexcept {
  Link& link = *slot.link;
  Message* former_front = queue_.empty() ? nullptr : &queue_.front();
  Message* next = link.line().empty() ? nullptr : &link.line().front();
  while (next != nullptr) {
    Message& message = *next;
    next = link.line().next(message);
    if (message.device->unacked > 0 || is_at_home(*message.device)) continue;
    move_to_queue(slot, message, former_front);
  }
  pump_.schedule();
}

}  // namespace sluice::mqtt
