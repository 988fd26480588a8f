#include "queue/disk.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "../catch.h"
#include "queue/store.h"

namespace sluice::queue {
namespace {

struct TestFolder {
  TestFolder() { REQUIRE(::mkdtemp(path.data()) != nullptr); }
  ~TestFolder() { std::filesystem::remove_all(path); }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;

  std::string path = "/tmp/sluice-queue-XXXXXX";
};

TEST_CASE("a folder is for one process, and the error names it", "[queue]") {
  TestFolder folder;
  auto first = std::make_unique<Folder>(folder.path);
  REQUIRE(first->lock());
  REQUIRE(first->lock());
  Folder second(folder.path);
  const auto refused = second.lock();
  REQUIRE_FALSE(refused);
  CHECK(refused.error().what == folder.path + " is used by process " + std::to_string(::getpid()) +
                                    "; each process needs a folder of its own");
  first.reset();
  CHECK(second.lock());
}

TEST_CASE("a folder's errors name the file and the reason", "[queue]") {
  Folder missing("/nonexistent/queue");
  CHECK(missing.lock().error().what ==
        "cannot open /nonexistent/queue/queue.lock: No such file or directory");
  CHECK_FALSE(missing.create("x"));
  CHECK_FALSE(missing.allocate("x", 1000));
  CHECK(missing.free_bytes() == 0);
  CHECK(missing.count("") == 0);
}

TEST_CASE("a file is made for its owner alone, and kept if it is there", "[queue]") {
  TestFolder folder;
  Folder disk(folder.path);
  REQUIRE(disk.create("queue.db"));
  struct stat made {};
  REQUIRE(::stat(disk.path("queue.db").c_str(), &made) == 0);
  CHECK((made.st_mode & 0777) == 0600);
  std::ofstream(disk.path("queue.db")) << "text";
  REQUIRE(disk.create("queue.db"));
  CHECK(disk.size("queue.db") == 4);
}

TEST_CASE("space is set aside and given back", "[queue]") {
  TestFolder folder;
  Folder disk(folder.path);
  REQUIRE(disk.allocate("reserve", 100000));
  struct stat made {};
  REQUIRE(::stat(disk.path("reserve").c_str(), &made) == 0);
  CHECK(made.st_size == 100000);
  CHECK(made.st_blocks * 512 >= 100000);
  disk.remove("reserve");
  CHECK_FALSE(disk.exists("reserve"));
  CHECK(disk.free_bytes() > 0);
}

TEST_CASE("files are renamed, counted and written again", "[queue]") {
  TestFolder folder;
  Folder disk(folder.path);
  const std::string text(200000, 'x');
  std::ofstream(disk.path("a")) << text;
  std::ofstream(disk.path("a.new")) << "left by a crash";
  REQUIRE(disk.rewrite("a"));
  CHECK_FALSE(disk.exists("a.new"));
  REQUIRE(disk.rename("a", "b"));
  REQUIRE(disk.rename("a", "c"));
  REQUIRE(disk.rewrite("a"));
  CHECK(disk.count("b") == 1);
  CHECK(disk.count("a") == 0);
  std::ifstream file(disk.path("b"));
  CHECK(std::string(std::istreambuf_iterator<char>(file), {}) == text);
}

TEST_CASE("a store in a folder holds its rows over a restart, without shared memory", "[queue]") {
  TestFolder folder;
  Lane lane{.broker = "b", .url = "mqtt://b"};
  {
    Store store(std::make_unique<Folder>(folder.path), {});
    REQUIRE_FALSE(store.open().fault);
    CHECK(store.has_reserve());
    REQUIRE_FALSE(store.put_lane(lane));
    Batch batch;
    batch.rows.add({.lane = lane.id, .seq = 1, .topic = "t", .payload = "p"});
    REQUIRE(store.commit(batch).rows == Fate::Committed);
    CHECK(std::filesystem::exists(folder.path + "/queue.db-wal"));
    CHECK_FALSE(std::filesystem::exists(folder.path + "/queue.db-shm"));

    Store second(std::make_unique<Folder>(folder.path), {});
    CHECK(second.open().fault.trouble == Trouble::InUse);
    CHECK(second.commit(batch).rows == Fate::NotWritten);
  }
  Store store(std::make_unique<Folder>(folder.path), {});
  const Store::OpenResult opened = store.open();
  REQUIRE_FALSE(opened.fault);
  CHECK(opened.contents.lanes.at(0).messages == 1);
  CHECK_FALSE(store.close());
  CHECK(std::filesystem::file_size(folder.path + "/queue.db-wal") == 0);
}

}  // namespace
}  // namespace sluice::queue
