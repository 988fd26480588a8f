#include "mqtt/pool/waiters.h"

#include <algorithm>
#include <cassert>

namespace sluice::mqtt {

void Waiters::add(Waiter& waiter, const protocol::Request& request, WaitList& list) {
  assert(waiter.device == nullptr);
  WaitingDevice& device = devices_for(request.qos)[request.device_id];
  device.waiters.push_back(waiter);
  ++size_;
  if (device.list == nullptr) {
    join(device, list);
  } else {
    ++device.list->waiters;
  }
  waiter.wanted = &request;
  waiter.device = &device;
}

void Waiters::remove(Waiter& waiter) noexcept {
  WaitingDevice& device = *waiter.device;
  WaitList& list = *device.list;
  const bool was_last = take_out(waiter);
  // Its place in the turn is not passed on to a later waiter.
  if (!was_last) device.turns = std::min(device.turns, device.waiters.size());
  list.turns = std::min(list.turns, list.waiters);
}

/// True if it was the last waiter of its device, which is erased then.
bool Waiters::take_out(Waiter& waiter) noexcept {
  WaitingDevice& device = *waiter.device;
  device.waiters.remove(waiter);
  --device.list->waiters;
  --size_;
  waiter.device = nullptr;
  if (!device.waiters.empty()) return false;
  unlink(device);
  devices_for(waiter.wanted->qos).erase(waiter.wanted->device_id);
  return true;
}

WaitingDevice* Waiters::find(std::int64_t device_id, std::uint8_t qos) noexcept {
  Devices& devices = devices_for(qos);
  const auto found = devices.find(device_id);
  return found == devices.end() ? nullptr : &found->second;
}

void Waiters::move(WaitingDevice& device, WaitList& to) noexcept {
  if (device.list == &to) return;
  WaitList& from = *device.list;
  unlink(device);
  from.turns = std::min(from.turns, from.waiters);
  join(device, to);
}

void Waiters::join(WaitingDevice& device, WaitList& list) noexcept {
  device.list = &list;
  device.turns = device.waiters.size();
  list.devices.push_back(device);
  list.waiters += device.waiters.size();
}

void Waiters::unlink(WaitingDevice& device) noexcept {
  WaitList& list = *device.list;
  device.list = nullptr;
  list.devices.remove(device);
  list.waiters -= device.waiters.size();
  if (list.devices.empty()) suspend(list);
}

void Waiters::wake(WaitList& list) noexcept {
  if (list.devices.empty() || awake_.holds(list)) return;
  list.turns = list.waiters;
  awake_.push_back(list);
}

void Waiters::suspend(WaitList& list) noexcept {
  if (awake_.holds(list)) awake_.remove(list);
}

Waiter* Waiters::next() noexcept {
  return awake_.empty() ? nullptr : &awake_.front().devices.front().waiters.front();
}

void Waiters::pop() noexcept {
  WaitList& list = awake_.front();
  WaitingDevice& device = list.devices.front();
  const bool was_last = take_out(device.waiters.front());
  if (!was_last && --device.turns == 0) {
    device.turns = device.waiters.size();
    list.devices.remove(device);
    list.devices.push_back(device);
  }
  if (--list.turns > 0) return;
  suspend(list);
  wake(list);
}

}  // namespace sluice::mqtt
