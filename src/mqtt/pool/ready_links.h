// Chooses a link for an unpinned message, without walking all of them.
#pragma once

#include <array>
#include <cstddef>

#include "base/list.h"
#include "mqtt/delivery.h"
#include "mqtt/link/link.h"
#include "mqtt/pool/slot.h"

namespace sluice::mqtt {

/// The Ready links of a pool, listed by their room. note() lists a link that has gained room; one
/// that has lost it moves to its list when its turn comes. So the cost of a choice does not depend
/// on the number of links. Not thread-safe.
class ReadyLinks {
 public:
  /// Links compared for the least loaded one. The best of eight in turn is hardly worse than the
  /// best of all.
  static constexpr std::size_t kCompared = 8;
  /// Messages of the queue that go to one link before the next link's turn: enough to share a
  /// write, and few enough that no link gets most of the devices.
  static constexpr unsigned kRun = 16;

  /// The link may have become Ready or gained room.
  void note(Slot& slot) noexcept;
  /// The link is no longer Ready.
  void forget(Slot& slot) noexcept {
    list(slot, nullptr);
    if (latest_ == &slot) latest_ = nullptr;
  }

  /// Any Ready link; null: there is none.
  const Link* any() const noexcept;
  /// The latest choice again while it is lightly loaded, else the least loaded of kCompared links
  /// with room and an empty backlog. Null: none among these, although others may have room.
  Link* choose(const Delivery& delivery) noexcept;
  /// Next link with room for an unpinned message, round-robin in runs of kRun. Null: none has room.
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
  unsigned run_ = 0;            // messages in a row for the link in front
};

}  // namespace sluice::mqtt
