// Latency buckets.
#include "base/histogram.h"

#include <chrono>

#include "catch.h"

namespace sluice {
namespace {

using std::chrono::nanoseconds;

TEST_CASE("a bound belongs to its own bucket, the next nanosecond to the one above",
          "[histogram]") {
  for (std::size_t i = 0; i < LatencyHistogram::kBounds.size(); ++i) {
    LatencyHistogram histogram;
    histogram.observe(LatencyHistogram::kBounds[i]);
    histogram.observe(LatencyHistogram::kBounds[i] + nanoseconds(1));
    CHECK(histogram.count_in(i) == 1);
    CHECK(histogram.count_in(i + 1) == 1);
    CHECK(histogram.count() == 2);
  }
}

TEST_CASE("the bounds rise, and nothing is too small or too large to be counted", "[histogram]") {
  for (std::size_t i = 1; i < LatencyHistogram::kBounds.size(); ++i)
    CHECK(LatencyHistogram::kBounds[i - 1] < LatencyHistogram::kBounds[i]);
  LatencyHistogram histogram;
  histogram.observe(nanoseconds(0));
  histogram.observe(nanoseconds::max());
  CHECK(histogram.count_in(0) == 1);
  CHECK(histogram.count_in(LatencyHistogram::kBuckets - 1) == 1);
}

TEST_CASE("the sum is that of the values, not of the buckets", "[histogram]") {
  LatencyHistogram histogram;
  histogram.observe(std::chrono::microseconds(1500));
  histogram.observe(std::chrono::milliseconds(20));
  CHECK(histogram.sum_seconds() > 0.0214999);
  CHECK(histogram.sum_seconds() < 0.0215001);
}

TEST_CASE("a quantile lies in the bucket of the observation it stands for", "[histogram]") {
  LatencyHistogram histogram;
  CHECK(histogram.quantile_seconds(0.5) == 0);
  for (int i = 0; i < 90; ++i)
    histogram.observe(std::chrono::microseconds(700));  // 0.5 to 1 ms
  for (int i = 0; i < 10; ++i)
    histogram.observe(std::chrono::milliseconds(7));  // 5 to 10 ms
  CHECK(histogram.quantile_seconds(0.5) > 0.0005);
  CHECK(histogram.quantile_seconds(0.5) < 0.001);
  CHECK(histogram.quantile_seconds(0.99) > 0.005);
  CHECK(histogram.quantile_seconds(0.99) < 0.01);
  CHECK(histogram.quantile_seconds(0.5) < histogram.quantile_seconds(0.8));
}

TEST_CASE("a quantile beyond all bounds is the highest bound", "[histogram]") {
  LatencyHistogram histogram;
  histogram.observe(std::chrono::hours(1));
  CHECK(histogram.quantile_seconds(0.5) == 60);
}

}  // namespace
}  // namespace sluice
