// Finds the brokers of a device: all whose range contains it, bounds excluded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace sluice::ledger {

/// A range min < device_id < max and its broker, by index in the configuration.
struct Route {
  /// It holds no device.
  bool is_empty() const noexcept {
    return min >= max || static_cast<std::uint64_t>(max) - static_cast<std::uint64_t>(min) < 2;
  }
  std::int64_t min = 0;
  std::int64_t max = 0;
  std::size_t broker = 0;
};

/// Ranges may overlap. They are cut into pieces once, so that a look-up is one binary search.
class Router {
 public:
  explicit Router(const std::vector<Route>& routes);

  /// The brokers for a device, in the order of the configuration; empty: no route.
  std::span<const std::size_t> route(std::int64_t device_id) const noexcept;

  /// The nearest ranges on both sides of a device without a route; null: there is none.
  struct Neighbours {
    const Route* below = nullptr;
    const Route* above = nullptr;
  };
  /// Walks over all routes: for the fault, not for each message.
  Neighbours neighbours(std::int64_t device_id) const noexcept;

 private:
  struct Piece {
    std::int64_t first = 0;  // up to where the next piece begins
    std::vector<std::size_t> brokers;
  };
  std::vector<Piece> pieces_;
  std::vector<Route> routes_;
};

}  // namespace sluice::ledger
