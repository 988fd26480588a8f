// Requests that wait for room in a pool, listed by what they wait for.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <unordered_map>

#include "base/list.h"
#include "protocol/request.h"

namespace sluice::mqtt {

struct WaitingDevice;

/// A request that waits for room; the ledger's entry of it inherits this.
struct Waiter : ListNode<> {
  const protocol::Request* wanted = nullptr;  ///< the request that needs room; outlives the waiting
  WaitingDevice* device = nullptr;            ///< null: it does not wait
};

/// The waiters for one resource: the queue, or the backlog of one link.
struct WaitList : ListNode<> {
  List<WaitingDevice> devices;
  std::size_t waiters = 0;
  std::size_t turns = 0;  ///< waiters to serve before the next list's turn
};

/// The waiters of one device, in order of arrival. They wait for the same, since all messages of a
/// device take one way.
struct WaitingDevice : ListNode<> {
  List<Waiter> waiters;
  WaitList* list = nullptr;
  std::size_t turns = 0;  ///< waiters to serve before the next device's turn
};

/// Constant time for each call. Lists take turns, and the devices within a list, each for as many
/// waiters as it had when its turn began: each round serves every waiter once. Not thread-safe.
class Waiters {
 public:
  /// The request waits in `list`, or with other requests of its device where those wait.
  void add(Waiter& waiter, const protocol::Request& request, WaitList& list);
  void remove(Waiter& waiter) noexcept;
  /// Null: no request of this device and kind (QoS 0, or above) waits.
  WaitingDevice* find(std::int64_t device_id, std::uint8_t qos) noexcept;
  /// Moves all waiters of the device to another list.
  void move(WaitingDevice& device, WaitList& to) noexcept;
  std::size_t size() const noexcept { return size_; }

  /// There is room for the list's waiters: serves them in turn with those of the other awake lists,
  /// until suspend().
  void wake(WaitList& list) noexcept;
  void suspend(WaitList& list) noexcept;
  bool is_any_awake() const noexcept { return !awake_.empty(); }
  /// The waiter whose turn it is; null: no list is awake.
  Waiter* next() noexcept;
  /// Removes next().
  void pop() noexcept;

 private:
  using Devices = std::pmr::unordered_map<std::int64_t, WaitingDevice>;

  /// QoS 0 has an order of its own, and so takes its own way.
  Devices& devices_for(std::uint8_t qos) noexcept { return devices_[qos == 0 ? 0 : 1]; }
  bool take_out(Waiter& waiter) noexcept;
  static void join(WaitingDevice& device, WaitList& list) noexcept;
  void unlink(WaitingDevice& device) noexcept;

  std::pmr::unsynchronized_pool_resource memory_;
  std::array<Devices, 2> devices_{Devices{&memory_}, Devices{&memory_}};
  List<WaitList> awake_;  // none is empty
  std::size_t size_ = 0;
};

}  // namespace sluice::mqtt
