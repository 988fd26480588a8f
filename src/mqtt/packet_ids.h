// Which message a packet identifier stands for: an open-addressing table, sized by its use.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace sluice::mqtt {

struct Message;

/// Maps the identifiers of one connection's messages in flight. Identifiers are handed out in
/// turn, so a table that is at most half full hardly ever probes. One that is hardly used shrinks.
class PacketIds {
 public:
  static constexpr std::size_t kFewPlaces = 16;
  /// Down to so many it shrinks: enough for usual windows, which often empty.
  static constexpr std::size_t kKeptPlaces = 256;
  /// At most: then each identifier has a place of its own.
  static constexpr std::size_t kMostPlaces = 65536;

  bool contains(std::uint16_t id) const noexcept { return slots_[find(id)].message != nullptr; }

  /// `id` must not be in the table.
  void insert(std::uint16_t id, Message& message) {
    if (++size_ > slots_.size() / 2 && slots_.size() < kMostPlaces) resize(slots_.size() * 2);
    put(id, message);
  }

  /// Takes the message out; null for an identifier that is not in flight.
  Message* take(std::uint16_t id) noexcept {
    std::size_t hole = find(id);
    Message* taken = slots_[hole].message;
    if (taken == nullptr) return nullptr;
    --size_;
    if (hole != home_of(id)) --displaced_;
    // Close the gap: whatever probed past it moves up, so that find() may stop at an empty slot.
    // Usually all are at home, since identifiers in a row have places in a row.
    for (std::size_t at = next(hole); displaced_ > 0 && slots_[at].message != nullptr;
         at = next(at)) {
      const std::size_t home = home_of(slots_[at].id);
      if (((at - home) & mask()) >= ((at - hole) & mask())) {
        if (hole == home) --displaced_;
        slots_[hole] = slots_[at];
        hole = at;
      }
    }
    slots_[hole] = {};
    if (size_ < slots_.size() / 8 && slots_.size() > kKeptPlaces) resize(slots_.size() / 2);
    return taken;
  }

  /// How large the table is.
  std::size_t places() const noexcept { return slots_.size(); }

 private:
  struct Slot {
    std::uint16_t id = 0;
    Message* message = nullptr;
  };

  std::size_t mask() const noexcept { return slots_.size() - 1; }
  std::size_t home_of(std::uint16_t id) const noexcept { return id & mask(); }
  std::size_t next(std::size_t place) const noexcept { return (place + 1) & mask(); }
  std::size_t find(std::uint16_t id) const noexcept {
    std::size_t at = home_of(id);
    while (slots_[at].message != nullptr && slots_[at].id != id)
      at = next(at);
    return at;
  }
  void put(std::uint16_t id, Message& message) noexcept {
    const std::size_t at = find(id);
    assert(slots_[at].message == nullptr);
    slots_[at] = {id, &message};
    if (at != home_of(id)) ++displaced_;
  }
  void resize(std::size_t places);

  std::vector<Slot> slots_ = std::vector<Slot>(kFewPlaces);
  std::size_t size_ = 0;
  std::size_t displaced_ = 0;  // how many are not at home
};

}  // namespace sluice::mqtt
