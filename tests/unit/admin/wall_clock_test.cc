// Times of the loop as times of day.
#include "admin/wall_clock.h"

#include <chrono>

#include "catch.h"

using namespace sluice;
using namespace sluice::admin;

TEST_CASE("a time of the loop is as far before the time of day as before the loop's now",
          "[wall_clock]") {
  const auto now = WallClock::Time(std::chrono::milliseconds(1'769'854'509'002));
  const WallClock clock(std::chrono::seconds(5000), now);
  CHECK(clock.text(TimePoint(std::chrono::seconds(5000))) == "2026-01-31T10:15:09.002Z");
  CHECK(clock.text(TimePoint(std::chrono::seconds(4990))) == "2026-01-31T10:14:59.002Z");
  CHECK(clock.text(TimePoint(Duration(5'000'998))) == "2026-01-31T10:15:10.000Z");
}
