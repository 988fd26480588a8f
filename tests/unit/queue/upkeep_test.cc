#include "store_lab.h"

namespace sluice::queue {
namespace {

constexpr const char* kLog = "queue.db-wal";

Store::Options small() {
  Store::Options options;
  options.checkpoint_pages = 20;
  options.vacuum_pages = 16;
  return options;
}

TEST_CASE("upkeep copies a long log into the file, and the log does not grow on", "[queue]") {
  StoreLab lab(small());
  std::uint64_t longest = 0;
  for (Seq seq = 1; seq < 200; ++seq) {
    lab.put(seq, seq, std::string(3000, 'x'));
    if (lab.store->wants_upkeep()) lab.store->upkeep();
    CHECK_FALSE(lab.store->wants_upkeep());
    longest = std::max(longest, lab.size(kLog));
  }
  CHECK(longest < 40 * 4096);
  CHECK(lab.size(Store::kFile) > 190 * 3000);
}

TEST_CASE("without upkeep the log is still bounded", "[queue]") {
  StoreLab lab(small());
  for (Seq seq = 1; seq < 200; ++seq)
    lab.put(seq, seq, std::string(3000, 'x'));
  CHECK(lab.store->wants_upkeep());
  CHECK(lab.size(kLog) < 120 * 4096);
}

TEST_CASE("a log that the reserve could not hold is copied before rows are added", "[queue]") {
  Store::Options options = small();
  options.checkpoint_pages = 1000;
  options.reserve_bytes = 131072;
  StoreLab lab(options);
  for (Seq seq = 1; seq < 100; ++seq)
    lab.put(seq, seq, std::string(3000, 'x'));
  CHECK(lab.size(kLog) < 131072);
}

TEST_CASE("a file that is mostly free shrinks in steps, down to what it holds", "[queue]") {
  StoreLab lab(small());
  for (Seq seq = 1; seq <= 400; seq += 20)
    lab.put(seq, seq + 19, std::string(3000, 'x'));
  lab.remove(1, 395);
  lab.store->upkeep();
  const std::uint64_t before = lab.size(Store::kFile);
  int steps = 0;
  while (lab.store->upkeep().more)
    ++steps;
  CHECK(steps > 10);
  CHECK(lab.size(Store::kFile) < before / 8);
  CHECK(lab.size(kLog) == 0);
  CHECK(lab.stored().size() == 5);
}

TEST_CASE("a file that is half used is left as it is", "[queue]") {
  StoreLab lab(small());
  for (Seq seq = 1; seq <= 400; seq += 20)
    lab.put(seq, seq + 19, std::string(3000, 'x'));
  lab.remove(1, 150);
  lab.store->upkeep();
  const std::uint64_t before = lab.size(Store::kFile);
  CHECK_FALSE(lab.store->upkeep().more);
  CHECK(lab.size(Store::kFile) == before);
}

TEST_CASE("a failing checkpoint closes the store and loses nothing", "[queue]") {
  StoreLab lab(small());
  lab.put(1, 30, std::string(3000, 'x'));
  REQUIRE(lab.store->wants_upkeep());
  lab.disk.fail({.what = Failure::What::Sync, .at = lab.disk.syncs() + 1});
  CHECK(lab.store->upkeep().fault.trouble == Trouble::IoError);
  CHECK_FALSE(lab.store->is_open());
  lab.disk.heal();
  CHECK_FALSE(lab.store->open().fault);
  CHECK(lab.stored().size() == 30);
}

}  // namespace
}  // namespace sluice::queue
