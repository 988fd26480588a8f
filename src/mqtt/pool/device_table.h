// The devices with unfinished messages, and the link that each is pinned to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <unordered_map>
#include <utility>

#include "base/list.h"
#include "mqtt/delivery.h"

namespace sluice::mqtt {

/// Holds a device only while it has unfinished messages. Nodes come from a memory pool, so that a
/// steady load allocates nothing.
class DeviceTable {
 public:
  Device& get(std::int64_t id) {
    Device& device = devices_[id];
    device.id = id;
    return device;
  }

  /// Null for a device without unfinished messages.
  Device* find(std::int64_t id) noexcept {
    const auto found = devices_.find(id);
    return found == devices_.end() ? nullptr : &found->second;
  }

  /// Unpins a device with nothing unacknowledged or pinned, and removes it if it has nothing queued
  /// either. True if it was pinned.
  bool tidy(Device& device) noexcept {
    if (device.unacked != 0 || !device.pinned.empty()) return false;
    const bool was_bound = std::exchange(device.link, nullptr) != nullptr;
    if (device.queued == 0) devices_.erase(device.id);
    return was_bound;
  }

  std::size_t size() const noexcept { return devices_.size(); }

 private:
  std::pmr::unsynchronized_pool_resource memory_;
  std::pmr::unordered_map<std::int64_t, Device> devices_{&memory_};
};

}  // namespace sluice::mqtt
