#include "mqtt/pool/ready_links.h"

namespace sluice::mqtt {
namespace {

/// In order of preference: links with room for all messages first.
constexpr Room kWithRoom[] = {Room::ForAll, Room::ExceptQos2};

}  // namespace

void ReadyLinks::note(Slot& slot) noexcept {
  if (slot.listed != &with(Room::ForAll)) relist(slot);
}

void ReadyLinks::relist(Slot& slot) noexcept {
  list(slot, slot.link.state() == LinkState::Ready ? &with(slot.link.room()) : nullptr);
}

/// The only place that changes in which list a slot is.
void ReadyLinks::list(Slot& slot, Links* links) noexcept {
  if (slot.listed == links) return;
  if (slot.listed != nullptr) slot.listed->remove(slot);
  slot.listed = links;
  if (links != nullptr) links->push_back(slot);
}

void ReadyLinks::move_to_end(Slot& slot) noexcept {
  slot.listed->remove(slot);
  slot.listed->push_back(slot);
}

const Link* ReadyLinks::any() const noexcept {
  for (const Links& links : lists_) {
    if (!links.empty()) return &links.front().link;
  }
  return nullptr;
}

Link* ReadyLinks::choose(const Delivery& delivery) noexcept {
  if (latest_ != nullptr) {
    Link& link = latest_->link;
    if (link.is_lightly_loaded() && link.backlog().is_empty() && link.has_room_for(delivery))
      return &link;
  }
  Slot* best = least_loaded(delivery);
  if (best == nullptr) return nullptr;
  move_to_end(*best);
  latest_ = best;
  return &best->link;
}

Slot* ReadyLinks::least_loaded(const Delivery& delivery) noexcept {
  Slot* best = nullptr;
  std::size_t looks = 0;
  for (const Room room : kWithRoom) {
    Slot* next = with(room).empty() ? nullptr : &with(room).front();
    for (; next != nullptr && looks < kCompared; ++looks) {
      Slot& slot = *next;
      next = with(room).next(slot);
      Link& link = slot.link;
      if (!link.has_room_for(delivery)) {
        relist(slot);
        continue;
      }
      if (!link.backlog().is_empty()) continue;
      if (best == nullptr || link.in_flight() < best->link.in_flight()) best = &slot;
      if (link.in_flight() == 0) looks = kCompared;
    }
  }
  return best;
}

Link* ReadyLinks::next_with_room(const Delivery& delivery) noexcept {
  Slot* slot = front_for(delivery);
  if (slot != nullptr && run_ >= kRun) {
    move_to_end(*slot);
    run_ = 0;
    slot = front_for(delivery);
  }
  if (slot == nullptr) return nullptr;
  ++run_;
  return &slot->link;
}

/// Each step without success moves a link to a list with less room, so that note() pays for it.
Slot* ReadyLinks::front_for(const Delivery& delivery) noexcept {
  for (const Room room : kWithRoom) {
    while (!with(room).empty()) {
      Slot& slot = with(room).front();
      if (slot.link.has_room_for(delivery)) return &slot;
      if (slot.link.room() == room) break;
      relist(slot);
    }
  }
  return nullptr;
}

}  // namespace sluice::mqtt
