// The histogram decides what every latency of a report says: its error bound is a promise.
#include "histogram.h"

#include "catch.h"

using sluice::bench::Histogram;

TEST_CASE("an empty histogram says 0", "[histogram]") {
  const Histogram empty;
  CHECK(empty.percentile(0.99) == 0);
  CHECK(empty.max() == 0);
}

TEST_CASE("small values are kept as they are", "[histogram]") {
  Histogram histogram;
  for (int i = 1; i <= 100; ++i)
    histogram.add(i);
  CHECK(histogram.percentile(0.5) == 50);
  CHECK(histogram.percentile(0.99) == 99);
  CHECK(histogram.percentile(1) == 100);
}

TEST_CASE("a percentile is never below the value, and at most 1/64 above it", "[histogram]") {
  for (std::int64_t value = 1; value < 4'000'000'000'000; value = value * 17 / 13 + 1) {
    Histogram histogram;
    histogram.add(value);
    histogram.add(value * 4);  // so that the largest value does not hide the bucket's edge
    const auto found = static_cast<std::int64_t>(histogram.percentile(0.5));
    CHECK(found >= value);
    CHECK(found <= value + value / 64);
  }
}

TEST_CASE("a rare slow reply shows in the high percentiles only", "[histogram]") {
  Histogram histogram;
  for (int i = 0; i < 9980; ++i)
    histogram.add(1000);
  for (int i = 0; i < 20; ++i)
    histogram.add(40'000'000);
  CHECK(histogram.percentile(0.5) < 1100);
  CHECK(histogram.percentile(0.99) < 1100);
  CHECK(histogram.percentile(0.999) == 40'000'000);
  CHECK(histogram.max() == 40'000'000);
}

TEST_CASE("a clock that seems to run backwards counts as 0", "[histogram]") {
  Histogram histogram;
  histogram.add(-5);
  CHECK(histogram.percentile(1) == 0);
}
