// JSON by hand, and how often a costly page is made.
#include <sys/resource.h>
#include <unistd.h>

#include <vector>

#include "admin/json_writer.h"
#include "admin/process_stats.h"
#include "admin/render_budget.h"
#include "catch.h"

using namespace sluice;
using namespace sluice::admin;

TEST_CASE("commas stand between members and elements, and nowhere else", "[json]") {
  JsonWriter json;
  json.open_object();
  json.open_array("empty");
  json.close_array();
  json.open_array("list");
  json.number({}, 1);
  json.open_object();
  json.close_object();
  json.text({}, "x");
  json.close_array();
  json.boolean("yes", true);
  json.null("none");
  json.number("half", 0.5);
  json.close_object();
  CHECK(json.take() == R"({"empty":[],"list":[1,{},"x"],"yes":true,"none":null,"half":0.5})");
}

TEST_CASE("what others named cannot break the JSON", "[json]") {
  JsonWriter json;
  json.open_object();
  json.text("a\"b", "\\ \n \xff");
  json.close_object();
  CHECK(json.take() == "{\"a\\\"b\":\"\\\\ \\u000a \xEF\xBF\xBD\"}");
}

TEST_CASE("a page is made anew for whoever asks now and then, not for whoever never stops",
          "[render_budget]") {
  RenderBudget budget;
  TimePoint now{std::chrono::hours(5)};
  int made = 0;
  for (int i = 0; i < 1000; ++i)
    made += budget.allows(now) ? 1 : 0;
  CHECK(made == 50);
  made = 0;
  for (int i = 0; i < 10000; ++i)
    made += budget.allows(now += Duration(1)) ? 1 : 0;
  CHECK(made == 1000);
  for (int i = 0; i < 1000; ++i)
    CHECK(budget.allows(now += Duration(10)));
}

TEST_CASE("descriptors are counted although none is left to open a file with", "[process_stats]") {
  const ProcessStats stats;
  const std::uint64_t before = stats.read().open_descriptors;
  std::vector<int> opened;
  for (int i = 0; i < 10; ++i)
    opened.push_back(::dup(0));
  rlimit limit{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
  rlimit none = limit;
  none.rlim_cur = 0;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  const ProcessUsage usage = stats.read();
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
  for (const int fd : opened)
    ::close(fd);
  CHECK(usage.open_descriptors == before + 10);
  CHECK(usage.max_descriptors == 0);
  CHECK(usage.resident_bytes > 0);
  CHECK(stats.read().open_descriptors == before);
}
