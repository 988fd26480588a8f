// The deliveries that wait for one link, because their devices are pinned to it.
#pragma once

#include <cstddef>

#include "base/list.h"
#include "base/watermark.h"
#include "mqtt/delivery.h"

namespace sluice::mqtt {

/// Owned by its Link. Keeps the list, its totals and each device's part of it consistent.
class Backlog {
 public:
  /// Limits for has_room_for(), which push_back() does not enforce.
  void set_limits(std::size_t deliveries, std::size_t bytes) noexcept {
    mark_.set_limits(deliveries, bytes);
  }

  /// Adds it at the end and makes it Pinned.
  void push_back(Delivery& delivery) noexcept {
    list_.push_back(delivery);
    delivery.device->pinned.push_back(delivery);
    mark_.add(delivery.bytes);
    delivery.move_to(State::Pinned);
  }
  /// Removes it; its move to another state has to follow.
  void remove(Delivery& delivery) noexcept {
    list_.remove(delivery);
    delivery.device->pinned.remove(delivery);
    mark_.remove(delivery.bytes);
  }

  bool is_empty() const noexcept { return list_.empty(); }
  Delivery& front() noexcept { return list_.front(); }
  /// The delivery behind it, or null.
  Delivery* next(Delivery& delivery) noexcept { return list_.next(delivery); }
  bool has_room_for(std::size_t bytes) const noexcept { return mark_.has_room_for(bytes); }
  bool is_below_low() const noexcept { return mark_.is_below_low(); }

  /// Reserves room for up to `deliveries` of `bytes` each; false: there is none.
  bool reserve(std::size_t deliveries, std::size_t bytes) noexcept {
    const std::size_t fit = mark_.room_for(deliveries, bytes);
    mark_.reserve(fit, fit * bytes);
    return fit > 0;
  }
  /// Releases one reserved place, if there is one.
  void release_one() noexcept {
    if (mark_.reserved() > 0) mark_.release_one();
  }
  void release_all() noexcept { mark_.release_all(); }

 private:
  List<Delivery> list_;
  Watermark mark_{0, 0};
};

}  // namespace sluice::mqtt
