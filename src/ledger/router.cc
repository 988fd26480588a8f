#include "ledger/router.h"

#include <algorithm>
#include <limits>
#include <set>

namespace sluice::ledger {

Router::Router(const std::vector<Route>& routes) : routes_(routes) {
  // The devices at which the brokers change. Bounds are exclusive: a range begins at min + 1, and
  // max is the first device behind it.
  std::set<std::int64_t> borders{std::numeric_limits<std::int64_t>::min()};
  for (const Route& route : routes) {
    if (route.min < std::numeric_limits<std::int64_t>::max()) borders.insert(route.min + 1);
    borders.insert(route.max);
  }
  for (const std::int64_t first : borders) {
    Piece piece{.first = first, .brokers = {}};
    for (const Route& route : routes) {
      if (route.min < first && first < route.max) piece.brokers.push_back(route.broker);
    }
    pieces_.push_back(std::move(piece));
  }
}

std::span<const std::size_t> Router::route(std::int64_t device_id) const noexcept {
  const auto beyond =
      std::upper_bound(pieces_.begin(), pieces_.end(), device_id,
                       [](std::int64_t id, const Piece& piece) { return id < piece.first; });
  return std::prev(beyond)->brokers;
}

Router::Neighbours Router::neighbours(std::int64_t device_id) const noexcept {
  Neighbours found;
  for (const Route& route : routes_) {
    if (route.is_empty()) continue;
    if (route.max <= device_id) {
      if (found.below == nullptr || route.max > found.below->max) found.below = &route;
    } else if (route.min >= device_id) {
      if (found.above == nullptr || route.min < found.above->min) found.above = &route;
    }
  }
  return found;
}

}  // namespace sluice::ledger
