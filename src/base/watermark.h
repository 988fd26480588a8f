// Limits of a queue in messages and in bytes, with a high and a low water mark.
#pragma once

#include <algorithm>
#include <cassert>
#include <cstddef>

namespace sluice {

/// Tells when a queue is full and when it has room again. The high mark is the limit itself, the
/// low mark three quarters of it: the distance keeps a queue at its limit from flapping. An empty
/// queue has room for one item of any size, so that no item waits endlessly.
class Watermark {
 public:
  Watermark(std::size_t max_items, std::size_t max_bytes) noexcept
      : max_items_(max_items), max_bytes_(max_bytes) {}

  void set_limits(std::size_t max_items, std::size_t max_bytes) noexcept {
    max_items_ = max_items;
    max_bytes_ = max_bytes;
  }

  bool has_room_for(std::size_t bytes) const noexcept {
    const std::size_t items = items_ + reserved_items_;
    return items == 0 || (items < max_items_ && bytes <= free_bytes());
  }
  bool is_below_low() const noexcept {
    const std::size_t items = items_ + reserved_items_;
    return items == 0 || (items < low(max_items_) && bytes_ + reserved_bytes_ < low(max_bytes_));
  }
  /// How many items of this size fit, up to `most`.
  std::size_t room_for(std::size_t most, std::size_t bytes) const noexcept {
    const std::size_t items = items_ + reserved_items_;
    const std::size_t fit = items < max_items_ ? max_items_ - items : 0;
    return std::min({most, fit, free_bytes() / std::max<std::size_t>(bytes, 1)});
  }

  void add(std::size_t bytes) noexcept {
    ++items_;
    bytes_ += bytes;
  }
  void remove(std::size_t bytes) noexcept {
    assert(items_ > 0 && bytes_ >= bytes);
    --items_;
    bytes_ -= bytes;
  }

  /// Reserves room; has_room_for() and the others count it as taken.
  void reserve(std::size_t items, std::size_t bytes) noexcept {
    reserved_items_ += items;
    reserved_bytes_ += bytes;
  }
  void release(std::size_t items, std::size_t bytes) noexcept {
    assert(reserved_items_ >= items && reserved_bytes_ >= bytes);
    reserved_items_ -= items;
    reserved_bytes_ -= bytes;
  }
  void release_one() noexcept { release(1, reserved_bytes_ / reserved_items_); }
  std::size_t reserved() const noexcept { return reserved_items_; }
  void release_all() noexcept { reserved_items_ = reserved_bytes_ = 0; }

  std::size_t items() const noexcept { return items_; }
  std::size_t bytes() const noexcept { return bytes_; }

 private:
  std::size_t free_bytes() const noexcept {
    const std::size_t used = bytes_ + reserved_bytes_;
    return used < max_bytes_ ? max_bytes_ - used : 0;
  }
  static std::size_t low(std::size_t limit) noexcept { return limit - limit / 4; }

  std::size_t max_items_;
  std::size_t max_bytes_;
  std::size_t items_ = 0;
  std::size_t bytes_ = 0;
  std::size_t reserved_items_ = 0;
  std::size_t reserved_bytes_ = 0;
};

}  // namespace sluice
