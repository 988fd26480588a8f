// Which link a device belongs to while anything of it is outstanding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <unordered_map>
#include <utility>

#include "base/list.h"
#include "mqtt/delivery.h"

namespace sluice::mqtt {

/// Devices with something outstanding, and no others. Nodes come from a pool of their own, so that
/// a steady load allocates nothing.
class DeviceTable {
 public:
  Device& get(std::int64_t id) {
    Device& device = devices_[id];
    device.id = id;
    return device;
  }

  /// Null for a device with nothing outstanding.
  Device* find(std::int64_t id) noexcept {
    const auto found = devices_.find(id);
    return found == devices_.end() ? nullptr : &found->second;
  }

  /// Unbinds a device that no longer needs its link and forgets one that needs nothing. True if it
  /// was bound and is no more.
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
