// "1 request", "2 requests".
#pragma once

#include <fmt/format.h>

#include <concepts>
#include <string>
#include <string_view>

namespace sluice {

/// The count and the noun in its number. `many` is needed where it is not `one` with an s.
template <std::unsigned_integral Count>
std::string plural(Count count, std::string_view one, std::string_view many = {}) {
  if (count == 1) return fmt::format("1 {}", one);
  if (many.empty()) return fmt::format("{} {}s", count, one);
  return fmt::format("{} {}", count, many);
}

}  // namespace sluice
