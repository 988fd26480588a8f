// What is written of something that happens again and again, on a clock made of numbers.
#include "base/log_throttle.h"

#include <vector>

#include "catch.h"

namespace sluice {
namespace {

constexpr TimePoint at(int seconds) {
  return TimePoint(std::chrono::seconds(seconds));
}

}  // namespace

TEST_CASE("the first of many is written, the others are counted", "[log-throttle]") {
  LogThrottle throttle{std::chrono::seconds(10)};
  CHECK(throttle.note(at(0)));
  for (int i = 0; i < 37; ++i)
    CHECK_FALSE(throttle.note(at(1)));
  CHECK(throttle.counted() == 37);
}

TEST_CASE("as many as wanted are written before the others are counted", "[log-throttle]") {
  LogThrottle throttle{std::chrono::seconds(10), 3};
  CHECK(throttle.note(at(0)));
  CHECK(throttle.note(at(9)));
  CHECK(throttle.note(at(18)));
  CHECK_FALSE(throttle.note(at(27)));
  CHECK(throttle.counted() == 1);
}

TEST_CASE("when it has been quiet it is said how many there were, and the next is written again",
          "[log-throttle]") {
  LogThrottle throttle{std::chrono::seconds(10)};
  CHECK(throttle.due() == TimePoint::max());
  CHECK(throttle.note(at(0)));
  CHECK_FALSE(throttle.note(at(8)));
  CHECK(throttle.due() == at(18));  // quiet counts from the latest
  CHECK_FALSE(throttle.look(at(17)));
  const auto summary = throttle.look(at(18));
  REQUIRE(summary);
  CHECK(summary->text("cat", "cats") == "1 more cat since then; none for 10 s now");
  CHECK(throttle.due() == TimePoint::max());
  CHECK_FALSE(throttle.look(at(100)));
  CHECK(throttle.note(at(100)));
}

TEST_CASE("an end with nothing counted is an end, too", "[log-throttle]") {
  LogThrottle throttle{std::chrono::seconds(10)};
  CHECK(throttle.note(at(0)));
  const auto summary = throttle.look(at(10));
  REQUIRE(summary);
  CHECK(summary->more == 0);
  CHECK_FALSE(throttle.is_going_on());
}

TEST_CASE("what never ends is told of once an hour, each time with the new ones only",
          "[log-throttle]") {
  LogThrottle throttle{std::chrono::seconds(10)};
  CHECK(throttle.note(at(0)));
  std::vector<std::uint64_t> reported;
  for (int second = 1; second <= 3 * 3600; ++second) {
    CHECK_FALSE(throttle.note(at(second)));
    if (const auto summary = throttle.look(at(second))) {
      CHECK(summary->quiet_for == Duration(0));
      CHECK(summary->text("cat", "cats") == "3600 more cats since then");
      reported.push_back(summary->more);
    }
  }
  CHECK(reported == std::vector<std::uint64_t>{3600, 3600, 3600});
  CHECK(throttle.is_going_on());
}

TEST_CASE("occurrences that share a line count each", "[log-throttle]") {
  LogThrottle throttle{std::chrono::seconds(10)};
  CHECK(throttle.note(at(0), 5));
  CHECK_FALSE(throttle.note(at(1), 7));
  CHECK(throttle.counted() == 7);
}

TEST_CASE("reminders come as often as is wanted", "[log-throttle]") {
  LogThrottle throttle{std::chrono::seconds(10), 1, std::chrono::seconds(30)};
  int reminders = 0;
  for (int second = 0; second < 100; ++second) {
    (void)throttle.note(at(second));
    reminders += throttle.look(at(second)) ? 1 : 0;
  }
  CHECK(reminders == 3);
}

TEST_CASE("ended early, it says what was counted and begins anew", "[log-throttle]") {
  LogThrottle throttle{std::chrono::seconds(10)};
  CHECK(throttle.note(at(0)));
  CHECK_FALSE(throttle.note(at(1)));
  CHECK(throttle.end().text("dog", "dogs") == "1 more dog since then");
  CHECK(throttle.note(at(2)));
}

}  // namespace sluice
