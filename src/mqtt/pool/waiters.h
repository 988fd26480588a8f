// Requests that found no room in a pool, in the lists of what they wait for.
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

/// A request that waits for room; what the ledger's entry of it inherits.
struct Waiter : ListNode<> {
  const protocol::Request* wanted =
      nullptr;                      ///< what there is to be room for; outlives the waiting
  WaitingDevice* device = nullptr;  ///< null: it does not wait
};

/// Those that wait for the same: for room in the queue, or in the backlog of one link.
struct WaitList : ListNode<> {
  List<WaitingDevice> devices;
  std::size_t waiters = 0;
  std::size_t turns = 0;  ///< how many of them are served before the next list has its turn
};

/// The waiters of one device, in the order in which they came. They wait together, for all messages
/// of a device go the same way.
struct WaitingDevice : ListNode<> {
  List<Waiter> waiters;
  WaitList* list = nullptr;
  std::size_t turns = 0;  ///< how many are served before the next device has its turn
};

/// Nothing here costs more with more waiters. Lists take turns, and in a list its devices, each for
/// as many waiters as it had when its turn was set: so in each round every waiter is served once,
/// whatever it waits for. Not thread-safe.
class Waiters {
 public:
  /// The request waits for what the list stands for, or with others of its device if there are any.
  void add(Waiter& waiter, const protocol::Request& request, WaitList& list);
  void remove(Waiter& waiter) noexcept;
  /// Null: none of the device waits with a request of this QoS.
  WaitingDevice* find(std::int64_t device_id, std::uint8_t qos) noexcept;
  /// From now on they wait for something else.
  void move(WaitingDevice& device, WaitList& to) noexcept;
  std::size_t size() const noexcept { return size_; }

  /// What the list stands for has room. Until suspend(), its waiters are served in turn with those
  /// of the other lists that are awake.
  void wake(WaitList& list) noexcept;
  void suspend(WaitList& list) noexcept;
  bool is_any_awake() const noexcept { return !awake_.empty(); }
  /// Whose turn it is; null: no list is awake.
  Waiter* next() noexcept;
  /// Takes next() out: it had its turn.
  void pop() noexcept;

 private:
  using Devices = std::pmr::unordered_map<std::int64_t, WaitingDevice>;

  /// QoS 0 has an order, and so a way, of its own.
  Devices& devices_for(std::uint8_t qos) noexcept { return devices_[qos == 0 ? 0 : 1]; }
  bool take_out(Waiter& waiter) noexcept;
  static void join(WaitingDevice& device, WaitList& list) noexcept;
  void unlink(WaitingDevice& device) noexcept;

  std::pmr::unsynchronized_pool_resource memory_;
  std::array<Devices, 2> devices_{Devices{&memory_}, Devices{&memory_}};
  List<WaitList> awake_;  // none of them empty
  std::size_t size_ = 0;
};

}  // namespace sluice::mqtt
