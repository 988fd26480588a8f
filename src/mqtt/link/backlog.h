// What waits for one link: deliveries of devices that are bound to it.
#pragma once

#include <cstddef>

#include "base/list.h"
#include "base/watermark.h"
#include "mqtt/delivery.h"

namespace sluice::mqtt {

/// Owned by its Link. The list and what it adds up to are one, and so is each device's part of it.
class Backlog {
 public:
  /// At most so many deliveries and bytes, as far as has_room_for() is asked before.
  void set_limits(std::size_t deliveries, std::size_t bytes) noexcept {
    mark_.set_limits(deliveries, bytes);
  }

  /// The delivery is Pinned from now on, behind all others.
  void push_back(Delivery& delivery) noexcept {
    list_.push_back(delivery);
    delivery.device->pinned.push_back(delivery);
    mark_.add(delivery.bytes);
    delivery.move_to(State::Pinned);
  }
  /// Takes it out; its move to another state has to follow.
  void remove(Delivery& delivery) noexcept {
    list_.remove(delivery);
    delivery.device->pinned.remove(delivery);
    mark_.remove(delivery.bytes);
  }

  bool is_empty() const noexcept { return list_.empty(); }
  Delivery& front() noexcept { return list_.front(); }
  /// The one behind it, or null.
  Delivery* next(Delivery& delivery) noexcept { return list_.next(delivery); }
  bool has_room_for(std::size_t bytes) const noexcept { return mark_.has_room_for(bytes); }
  bool is_below_low() const noexcept { return mark_.is_below_low(); }

  /// Keeps room free for up to so many of this size; false: there is none.
  bool reserve(std::size_t deliveries, std::size_t bytes) noexcept {
    const std::size_t fit = mark_.room_for(deliveries, bytes);
    mark_.reserve(fit, fit * bytes);
    return fit > 0;
  }
  /// One place that was reserved, if any was, is free for all.
  void release_one() noexcept {
    if (mark_.reserved() > 0) mark_.release_one();
  }
  void release_all() noexcept { mark_.release_all(); }

 private:
  List<Delivery> list_;
  Watermark mark_{0, 0};
};

}  // namespace sluice::mqtt
