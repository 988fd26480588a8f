// Files that are no queue, or are not one any more.
#include <sqlite3.h>

#include <algorithm>

#include "store_lab.h"

namespace sluice::queue {
namespace {

using Seqs = std::vector<Seq>;

Store::Options with_clock() {
  Store::Options options;
  options.wall_clock_ms = [] { return std::int64_t{1800000000000}; };  // 2027-01-15 08:00 UTC
  return options;
}

constexpr const char* kAside = "queue.db.corrupt-20270115T080000Z";

TEST_CASE("a file that is no database is moved aside, and a new one is begun", "[queue]") {
  LossyDisk disk({{"queue.db", std::string(10000, 'x')}, {"queue.db-wal", "log"}});
  Store store(disk.disk(), with_clock());
  const Store::OpenResult opened = store.open();
  REQUIRE_FALSE(opened.fault);
  CHECK(opened.quarantined == kAside);
  CHECK(opened.corruption == "file is not a database");
  CHECK(opened.contents.lanes.empty());
  const Medium left = disk.after_power_cut(Loss::Everything);
  CHECK(left.at(kAside) == std::string(10000, 'x'));
  CHECK(left.contains(std::string(kAside) + "-wal"));
}

TEST_CASE("a power cut while a file is moved aside loses nothing of it", "[queue]") {
  const Medium start{{"queue.db", std::string(10000, 'x')},
                     {"queue.db-wal", std::string(5000, 'l')}};
  Store::Options options = with_clock();
  options.reserve_bytes = 65536;
  LossyDisk disk(start);
  std::vector<DiskState> moments;
  disk.before_change = [&] { moments.push_back(disk.state()); };
  Store store(disk.disk(), options);
  REQUIRE_FALSE(store.open().fault);
  std::mt19937_64 random(1);
  for (const DiskState& moment : moments) {
    for (const Loss loss : kLosses) {
      LossyDisk left(moment.after_power_cut(loss, random));
      Store next(left.disk(), options);
      CHECK_FALSE(next.open().fault);
      const Medium after = left.after_power_cut(Loss::Everything);
      for (const auto& lost : start)
        CHECK(std::count_if(after.begin(), after.end(), [&](const auto& file) {
                return file.second == lost.second && file.first.starts_with(kAside);
              }) == 1);
    }
  }
  CHECK(moments.size() > 10);
}

TEST_CASE("another program's database is moved aside, too", "[queue]") {
  LossyDisk disk;
  {
    sqlite3* other = nullptr;
    REQUIRE(sqlite3_open_v2("queue.db", &other, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                            disk.vfs_name()) == SQLITE_OK);
    CHECK(sqlite3_exec(other, "CREATE TABLE notes(text)", nullptr, nullptr, nullptr) == SQLITE_OK);
    sqlite3_close(other);
  }
  Store store(disk.disk(), with_clock());
  const Store::OpenResult opened = store.open();
  REQUIRE_FALSE(opened.fault);
  CHECK(opened.quarantined == kAside);
  CHECK(opened.corruption == "it is not a queue of sluice");
}

TEST_CASE("a file of a newer version is left alone", "[queue]") {
  StoreLab lab;
  lab.store.reset();
  sqlite3* newer = nullptr;
  REQUIRE(sqlite3_open_v2("queue.db", &newer, SQLITE_OPEN_READWRITE, lab.disk.vfs_name()) ==
          SQLITE_OK);
  CHECK(sqlite3_exec(newer,
                     "PRAGMA locking_mode=EXCLUSIVE; UPDATE meta SET value=2 WHERE key='schema'",
                     nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(newer);
  const Store::OpenResult opened = lab.reopen();
  CHECK(opened.fault.trouble == Trouble::NewerSchema);
  CHECK(opened.fault.detail ==
        "its schema is 2, this version knows 1 at most; start the newer version or name another "
        "folder");
  CHECK(opened.quarantined.empty());
  CHECK_FALSE(lab.store->is_open());
}

/// A store whose rows fill pages of their own, without anything in memory.
struct DamagedLab : StoreLab {
  DamagedLab() : StoreLab(with_clock()) {
    put(1, 200, std::string(500, 'x'));
    CHECK_FALSE(store->close());
    open();
  }
  void damage() { disk.damage(Store::kFile, 10 * 4096, std::string(8192, '\x5a')); }
};

TEST_CASE("a page found corrupt closes the store, and the next open replaces the file", "[queue]") {
  DamagedLab lab;
  lab.damage();
  Rows rows;
  CHECK(lab.store->read(lab.lane, 0, 1000, 1000000, rows).trouble == Trouble::Corrupt);
  CHECK_FALSE(lab.store->is_open());
  const Store::OpenResult opened = lab.store->open();
  CHECK_FALSE(opened.fault);
  CHECK(opened.quarantined == kAside);
  CHECK_FALSE(opened.corruption.empty());
  CHECK(opened.contents.next_seq == 201);
  CHECK(opened.contents.lanes.empty());
}

TEST_CASE("a read that failed once is no reason to give a file up", "[queue]") {
  DamagedLab lab;
  lab.disk.fail({.what = Failure::What::ShortRead, .at = lab.disk.reads()});
  Rows rows;
  CHECK(lab.store->read(lab.lane, 0, 1000, 1000000, rows).trouble == Trouble::Corrupt);
  const Store::OpenResult opened = lab.store->open();
  CHECK_FALSE(opened.fault);
  CHECK(opened.quarantined.empty());
  CHECK(lab.stored().size() == 200);
}

TEST_CASE("a file that is found corrupt again and again is given up", "[queue]") {
  DamagedLab lab;
  Store::OpenResult opened;
  int times = 0;
  while (opened.quarantined.empty() && times < 10) {
    ++times;
    CHECK_FALSE(lab.store->close());
    CHECK_FALSE(lab.store->open().fault);
    lab.disk.fail({.what = Failure::What::ShortRead, .at = lab.disk.reads()});
    Rows rows;
    CHECK(lab.store->read(lab.lane, 0, 1000, 1000000, rows).trouble == Trouble::Corrupt);
    opened = lab.store->open();
    CHECK_FALSE(opened.fault);
  }
  CHECK(times == 3);
  CHECK(opened.corruption == "pages are found corrupt again and again");
}

TEST_CASE("a log without its file is not taken for the new file's", "[queue]") {
  LossyDisk disk(Medium{{"queue.db-wal", "log"}});
  Store store(disk.disk(), with_clock());
  REQUIRE_FALSE(store.open().fault);
  CHECK(disk.state().names.contains(std::string(kAside) + "-wal"));
}

TEST_CASE("with eight corrupt files beside it the store stays closed and says why", "[queue]") {
  Medium medium;
  for (int i = 0; i < Store::kMostQuarantined; ++i) {
    medium["queue.db.corrupt-" + std::to_string(i)] = "x";
    medium["queue.db.corrupt-" + std::to_string(i) + "-wal"] = "x";
  }
  medium["queue.db"] = std::string(10000, 'x');
  LossyDisk disk(medium);
  Store store(disk.disk(), with_clock());
  const Store::OpenResult opened = store.open();
  CHECK(opened.fault.trouble == Trouble::IoError);
  CHECK(opened.fault.detail ==
        "queue.db is corrupt, and there are 8 corrupt files already; recover what is in them "
        "(sqlite3 FILE .recover), or delete them");
  CHECK(disk.state().names.contains("queue.db"));
}

TEST_CASE("two files that are given up in one second have names of their own", "[queue]") {
  LossyDisk disk({{"queue.db", std::string(10000, 'x')}, {kAside, "x"}});
  Store store(disk.disk(), with_clock());
  CHECK(store.open().quarantined == std::string(kAside) + ".2");
}

}  // namespace
}  // namespace sluice::queue
