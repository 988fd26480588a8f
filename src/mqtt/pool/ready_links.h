// Chooses the link for a message that may go to any, without looking at all of them.
#pragma once

#include <array>
#include <cstddef>

#include "base/list.h"
#include "mqtt/delivery.h"
#include "mqtt/link/link.h"
#include "mqtt/pool/slot.h"

namespace sluice::mqtt {

/// The Ready links of a pool, by the room they have. note() lists a link that has gained some; one
/// that has lost it is found out, and listed again, when its turn comes. So each choice costs a few
/// looks, however many links there are. Not thread-safe.
class ReadyLinks {
 public:
  /// So many links are compared for the least loaded one: among eight that took turns the best is
  /// hardly ever worse than the best of all.
  static constexpr std::size_t kCompared = 8;
  /// So many messages of a queue go to one link before the next one has its turn: enough for a
  /// write that is worth its while, and few enough that no link gets most of the devices.
  static constexpr unsigned kRun = 16;

  /// The link may have become Ready, or have room that it did not have.
  void note(Slot& slot) noexcept;
  /// The link is not Ready any more.
  void forget(Slot& slot) noexcept {
    list(slot, nullptr);
    if (latest_ == &slot) latest_ = nullptr;
  }

  /// Any Ready link; null: there is none.
  const Link* any() const noexcept;
  /// The same link as the latest time while it is lightly loaded, else the least loaded of some;
  /// one that has room and nothing of its own to send first. Null where it found none, even though
  /// there may be one.
  Link* choose(const Delivery& delivery) noexcept;
  /// A link with room, each for a run of messages in its turn. Null: there is none.
  Link* next_with_room(const Delivery& delivery) noexcept;

 private:
  using Links = List<Slot, ByRoom>;

  Links& with(Room room) noexcept { return lists_[static_cast<std::size_t>(room)]; }
  void relist(Slot& slot) noexcept;
  static void list(Slot& slot, Links* links) noexcept;
  static void move_to_end(Slot& slot) noexcept;
  Slot* front_for(const Delivery& delivery) noexcept;
  Slot* least_loaded(const Delivery& delivery) noexcept;

  std::array<Links, 3> lists_;  // by Room
  Slot* latest_ = nullptr;      // the latest choice, while it is Ready
  unsigned run_ = 0;            // how many in a row the link in front was chosen for
};

}  // namespace sluice::mqtt
