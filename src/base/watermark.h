// Bounds for a queue that is counted in messages and in bytes, with a high and a low water mark.
#pragma once

#include <cassert>
#include <cstddef>

namespace sluice {

/// Tells when a queue is full and when it has room again. The high mark is the limit itself, the
/// low mark three quarters of it: the distance keeps a queue at its limit from flapping. An empty
/// queue has room for one item of any size, so that nothing waits for ever.
class Watermark {
 public:
  Watermark(std::size_t max_items, std::size_t max_bytes) noexcept
      : max_items_(max_items), max_bytes_(max_bytes) {}

  void set_limits(std::size_t max_items, std::size_t max_bytes) noexcept {
    max_items_ = max_items;
    max_bytes_ = max_bytes;
  }

  bool has_room_for(std::size_t bytes) const noexcept {
    return items_ == 0 || (items_ < max_items_ &&
                           bytes <= max_bytes_ - (bytes_ < max_bytes_ ? bytes_ : max_bytes_));
  }
  bool is_below_low() const noexcept {
    return items_ == 0 || (items_ < low(max_items_) && bytes_ < low(max_bytes_));
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

  std::size_t items() const noexcept { return items_; }
  std::size_t bytes() const noexcept { return bytes_; }

 private:
  static std::size_t low(std::size_t limit) noexcept { return limit - limit / 4; }

  std::size_t max_items_;
  std::size_t max_bytes_;
  std::size_t items_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace sluice
