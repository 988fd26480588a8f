// Backoff, Random, Result and Delegate.
#include <memory>
#include <string>

#include "base/backoff.h"
#include "base/delegate.h"
#include "base/error.h"
#include "base/random.h"
#include "catch.h"

namespace sluice {
namespace {

class Counter {
 public:
  int add(int much) { return sum_ += much; }
  void take(std::unique_ptr<int> much) noexcept { sum_ += *much; }
  int sum() const { return sum_; }

 private:
  int sum_ = 0;
};

Result<std::unique_ptr<int>> make(bool works) {
  if (!works) return Error{"it does not work"};
  return std::make_unique<int>(7);
}

}  // namespace

TEST_CASE("a backoff doubles up to its ceiling", "[backoff]") {
  Backoff backoff(Duration(100), Duration(500));
  CHECK(backoff.next(1.0) == Duration(100));
  CHECK(backoff.next(1.0) == Duration(200));
  CHECK(backoff.next(1.0) == Duration(400));
  CHECK(backoff.next(1.0) == Duration(500));
  CHECK(backoff.next(1.0) == Duration(500));
  backoff.reset();
  CHECK(backoff.next(1.0) == Duration(100));
}

TEST_CASE("the jitter of a backoff takes away half at most", "[backoff]") {
  Backoff backoff(Duration(100), Duration(1000));
  CHECK(backoff.next(0.0) == Duration(50));
  CHECK(backoff.next(0.5) == Duration(150));
}

TEST_CASE("a backoff can be sent to its ceiling", "[backoff]") {
  Backoff backoff(Duration(100), Duration(30000));
  backoff.raise_to_max();
  CHECK(backoff.next(1.0) == Duration(30000));
  backoff.reset();
  CHECK(backoff.next(1.0) == Duration(100));
}

TEST_CASE("random numbers lie in [0, 1) and a seed repeats them", "[random]") {
  Random first(9501);
  Random second(9501);
  for (int i = 0; i < 1000; ++i) {
    const double unit = first.unit();
    CHECK(unit >= 0.0);
    CHECK(unit < 1.0);
    CHECK(unit == second.unit());
  }
}

TEST_CASE("a result is a value or an error", "[error]") {
  Result<std::unique_ptr<int>> good = make(true);
  REQUIRE(good);
  CHECK(**good == 7);
  const std::unique_ptr<int> taken = std::move(good).value();
  CHECK(*taken == 7);
  const Result<std::unique_ptr<int>> bad = make(false);
  REQUIRE_FALSE(bad);
  CHECK(bad.error().what == "it does not work");
  CHECK_THROWS(bad.value());
  CHECK(Result<void>());
  const Result<void> failed = Error{"no"};
  CHECK_FALSE(failed);
  CHECK(failed.error().what == "no");
}

TEST_CASE("a string may be a value without being an error", "[error]") {
  const Result<std::string> text = std::string("fine");
  REQUIRE(text);
  CHECK(text.value() == "fine");
}

TEST_CASE("a delegate calls the method of the object it was bound to", "[delegate]") {
  Counter first;
  Counter second;
  const Delegate<int(int)> add = bind<&Counter::add>(&first);
  const Delegate<int(int)> add_other = bind<&Counter::add>(&second);
  CHECK(add(2) == 2);
  CHECK(add(3) == 5);
  CHECK(add_other(1) == 1);
  const Delegate<void(std::unique_ptr<int>)> take = bind<&Counter::take>(&first);
  take(std::make_unique<int>(10));
  CHECK(first.sum() == 15);
  CHECK(take);
  CHECK_FALSE(Delegate<void()>());
}

}  // namespace sluice
