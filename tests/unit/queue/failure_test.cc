// Calls that fail. tests/store lets each call of long runs fail; these are the rules.
#include "store_lab.h"

namespace sluice::queue {
namespace {

using What = Failure::What;
using Seqs = std::vector<Seq>;

TEST_CASE("after a failed sync a batch is unknown, and the handle is not used again", "[queue]") {
  StoreLab lab;
  lab.put(1, 1);
  lab.disk.fail({.what = What::Sync, .at = lab.disk.syncs()});
  const CommitResult result = lab.put(2, 2);
  CHECK(result.rows == Fate::Unknown);
  CHECK(result.fault.trouble == Trouble::IoError);
  CHECK_FALSE(lab.store->is_open());
  CHECK(lab.store->why_closed().trouble == Trouble::IoError);

  const std::uint64_t writes = lab.disk.writes();
  CHECK(lab.put(3, 3).rows == Fate::NotWritten);
  CHECK(lab.disk.writes() == writes);
  CHECK_FALSE(lab.store->open().fault);
  CHECK(lab.put(4, 4).rows == Fate::Committed);
}

TEST_CASE("what is committed behind a failed sync survives a power cut", "[queue]") {
  StoreLab lab;
  lab.put(1, 1);
  lab.disk.fail({.what = What::Sync, .at = lab.disk.syncs()});
  lab.put(2, 2);
  REQUIRE_FALSE(lab.store->open().fault);
  const Seqs found = lab.stored();
  lab.put(3, 3);

  LossyDisk left(lab.disk.after_power_cut(Loss::Everything));
  Store store(left.disk(), {});
  REQUIRE_FALSE(store.open().fault);
  Rows rows;
  REQUIRE_FALSE(store.read(lab.lane, 0, 100, 1000, rows));
  REQUIRE(rows.size() == found.size() + 1);
  CHECK(rows[found.size()].seq == 3);
}

TEST_CASE("a write that fails before the commit leaves nothing behind", "[queue]") {
  StoreLab lab;
  lab.disk.fail({.what = What::Write, .at = lab.disk.writes(), .goes_on = true});
  const CommitResult result = lab.put(1, 1);
  CHECK(result.rows != Fate::Committed);
  CHECK(lab.store->open().fault.trouble == Trouble::IoError);
  lab.disk.heal();
  CHECK_FALSE(lab.store->open().fault);
  CHECK(lab.stored().empty());
}

TEST_CASE("a disk that is read-only or gone is reported at each attempt to open", "[queue]") {
  LossyDisk disk;
  disk.fail({.what = What::Write, .at = 0, .goes_on = true});
  Store store(disk.disk(), {});
  for (int i = 0; i < 3; ++i) {
    const Store::OpenResult opened = store.open();
    CHECK(opened.fault.trouble == Trouble::IoError);
    CHECK_FALSE(opened.fault.detail.empty());
  }
  disk.heal();
  CHECK_FALSE(store.open().fault);
}

struct SmallDiskLab : StoreLab {
  SmallDiskLab() : StoreLab(small()) {
    disk.set_capacity(1000000);
    for (last = 0; put(last + 1, last + 10, payload).rows == Fate::Committed;)
      last += 10;
    disk.set_others(disk.free_bytes());
  }
  static Store::Options small() {
    Store::Options options;
    options.reserve_bytes = 131072;
    options.checkpoint_pages = 12;
    return options;
  }

  std::string payload = std::string(1000, 'x');
  Seq last = 0;
};

TEST_CASE("on a full disk rows are refused and removals go on", "[queue]") {
  SmallDiskLab lab;
  const std::size_t stored = lab.stored().size();
  Batch batch = StoreLab::batch_of({lab.row(lab.last + 100, std::string(300000, 'x'))});
  batch.removals.push_back({lab.lane, 1});
  const CommitResult result = lab.store->commit(batch);
  CHECK(result.rows == Fate::NotWritten);
  CHECK(result.removals == Fate::Committed);
  CHECK(result.fault.trouble == Trouble::DiskFull);
  CHECK(lab.store->is_open());
  CHECK(lab.stored().size() == stored - 1);

  CHECK(lab.remove(2, lab.last).removals == Fate::Committed);
  CHECK(lab.stored().empty());
  CHECK_FALSE(lab.store->has_reserve());
}

TEST_CASE("while the reserve is missing no row takes its place", "[queue]") {
  SmallDiskLab lab;
  lab.remove(1, lab.last);
  REQUIRE_FALSE(lab.store->has_reserve());
  lab.disk.set_others(0);
  lab.disk.set_others(lab.disk.free_bytes() - lab.options.reserve_bytes);
  lab.store->upkeep();
  CHECK_FALSE(lab.store->has_reserve());
  const CommitResult result = lab.put(lab.last + 1, lab.last + 1);
  CHECK(result.rows == Fate::NotWritten);
  CHECK(result.fault.trouble == Trouble::DiskFull);

  lab.disk.set_others(0);
  while (lab.store->upkeep().more) {
  }
  CHECK(lab.store->has_reserve());
  CHECK(lab.put(lab.last + 1, lab.last + 1).rows == Fate::Committed);
}

TEST_CASE("a store opens on a full disk, for removals alone", "[queue]") {
  SmallDiskLab lab;
  lab.store->close();
  lab.disk.set_others(0);
  lab.disk.set_others(lab.disk.free_bytes());
  lab.open();
  CHECK(lab.put(lab.last + 1, lab.last + 1, std::string(300000, 'x')).rows == Fate::NotWritten);
  CHECK(lab.remove(1, lab.last).removals == Fate::Committed);
  CHECK(lab.stored().empty());
}

}  // namespace
}  // namespace sluice::queue
