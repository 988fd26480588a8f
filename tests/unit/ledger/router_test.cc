// The brokers of a device.
#include "ledger/router.h"

#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "catch.h"

using namespace sluice::ledger;
using Places = std::vector<std::size_t>;

namespace {

constexpr std::int64_t kLowest = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kHighest = std::numeric_limits<std::int64_t>::max();

Places route(const Router& router, std::int64_t device) {
  const auto places = router.route(device);
  return {places.begin(), places.end()};
}

}  // namespace

TEST_CASE("both bounds of a range are exclusive", "[router]") {
  const Router router({{0, 1000, 0}});
  CHECK(route(router, -1) == Places{});
  CHECK(route(router, 0) == Places{});
  CHECK(route(router, 1) == Places{0});
  CHECK(route(router, 999) == Places{0});
  CHECK(route(router, 1000) == Places{});
}

TEST_CASE("a device in overlapping ranges has several brokers, in the configuration's order",
          "[router]") {
  const Router router({{100, 300, 0}, {0, 200, 1}, {150, 160, 2}});
  CHECK(route(router, 50) == Places{1});
  CHECK(route(router, 100) == Places{1});
  CHECK(route(router, 101) == Places{0, 1});
  CHECK(route(router, 150) == Places{0, 1});
  CHECK(route(router, 151) == Places{0, 1, 2});
  CHECK(route(router, 159) == Places{0, 1, 2});
  CHECK(route(router, 160) == Places{0, 1});
  CHECK(route(router, 200) == Places{0});
  CHECK(route(router, 300) == Places{});
}

TEST_CASE("ranges that touch share no device", "[router]") {
  const Router router({{0, 10, 0}, {9, 20, 1}});
  CHECK(route(router, 9) == Places{0});
  CHECK(route(router, 10) == Places{1});
}

TEST_CASE("ranges reach to the ends of 64 bits, their bounds excepted", "[router]") {
  const Router router(
      {{kLowest, kHighest, 0}, {kHighest - 1, kHighest, 1}, {kHighest, kHighest, 2}});
  CHECK(route(router, kLowest) == Places{});
  CHECK(route(router, kLowest + 1) == Places{0});
  CHECK(route(router, 0) == Places{0});
  CHECK(route(router, kHighest - 1) == Places{0});
  CHECK(route(router, kHighest) == Places{});
}

TEST_CASE("without ranges no device has a broker", "[router]") {
  const Router router({});
  CHECK(route(router, kLowest) == Places{});
  CHECK(route(router, 0) == Places{});
  CHECK(route(router, kHighest) == Places{});
}

TEST_CASE("a device without a broker has the nearest range on each side", "[router]") {
  const Router router({{0, 10, 0}, {5, 20, 1}, {30, 40, 2}, {50, 51, 3}, {60, 90, 4}});
  const auto below = [&](std::int64_t device) { return router.neighbours(device).below; };
  const auto above = [&](std::int64_t device) { return router.neighbours(device).above; };
  CHECK(below(0) == nullptr);
  REQUIRE(above(0) != nullptr);
  CHECK(above(0)->broker == 0);
  REQUIRE(below(25) != nullptr);
  CHECK(below(25)->broker == 1);
  REQUIRE(above(25) != nullptr);
  CHECK(above(25)->broker == 2);
  CHECK(below(50)->broker == 2);  // not the one that holds no device
  CHECK(above(50)->broker == 4);
  CHECK(below(kHighest)->broker == 4);
  CHECK(above(kHighest) == nullptr);
  CHECK(above(kLowest)->broker == 0);
}

TEST_CASE("of ranges that cover all but the ends each is a neighbour of the end", "[router]") {
  const Router router({{kLowest, kHighest, 0}});
  CHECK(router.neighbours(kHighest).below->broker == 0);
  CHECK(router.neighbours(kLowest).above->broker == 0);
  CHECK(Router({}).neighbours(0).below == nullptr);
}

TEST_CASE("the router says what looking at each range says", "[router]") {
  std::mt19937 random(4);
  const auto any = [&random] { return static_cast<std::int64_t>(random() % 60); };
  for (int round = 0; round < 100; ++round) {
    std::vector<Route> routes;
    for (std::size_t i = 0; i < 6; ++i)
      routes.push_back({any(), any(), i});
    const Router router(routes);
    for (std::int64_t device = -2; device < 63; ++device) {
      Places expected;
      for (const Route& one : routes) {
        if (one.min < device && device < one.max) expected.push_back(one.broker);
      }
      REQUIRE(route(router, device) == expected);
    }
  }
}
