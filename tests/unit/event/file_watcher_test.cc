// FileWatcher and Work: what runs outside the loop's thread.
#include "event/file_watcher.h"

#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>

#include "event/work.h"
#include "support.h"

namespace sluice::event {
namespace {

void write(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

class Watched {
 public:
  explicit Watched(std::string path)
      : watcher_(loop, path, FileState::of(path), kInterval, bind<&Count::up>(&changes)) {}

  void look() {
    loop.advance(kInterval);
    loop.run_until([&] { return !loop->has_requests(); });
  }
  /// Enough checks to find any change.
  void settle() {
    for (int looks = 0; looks < 5; ++looks)
      look();
  }
  /// Only the second check with the same result reports it.
  void expect(int count) {
    look();
    look();
    CHECK(changes.times == count);
    settle();
    CHECK(changes.times == count);
  }

  /// Asks for a report, and completes the first poll for it.
  void ask() {
    watcher_.report_settled();
    loop.run_until([&] { return !loop->has_requests(); });
  }

  TestLoop loop;
  Count changes;

 private:
  static constexpr Duration kInterval = std::chrono::seconds(1);
  FileWatcher watcher_;
};

}  // namespace

TEST_CASE("a file that stays as it is tells nothing", "[file]") {
  const Folder folder;
  write(folder.file("f"), "one");
  Watched watched(folder.file("f"));
  watched.settle();
  CHECK(watched.changes.times == 0);
}

TEST_CASE("a file written in place, renamed over or replaced tells once each", "[file]") {
  const Folder folder;
  const std::string path = folder.file("f");
  write(path, "one");
  Watched watched(path);
  write(path, "another");
  watched.expect(1);
  write(folder.file("g"), "renamed");
  std::filesystem::rename(folder.file("g"), path);
  watched.expect(2);
  std::filesystem::remove(path);
  watched.expect(3);
  write(path, "back");
  watched.expect(4);
}

TEST_CASE("a link to a folder that is swapped under it tells, as a ConfigMap does", "[file]") {
  namespace fs = std::filesystem;
  const Folder folder;
  fs::create_directory(folder.file("v1"));
  fs::create_directory(folder.file("v2"));
  write(folder.file("v1") + "/f", "same");
  write(folder.file("v2") + "/f", "same");
  fs::create_symlink("v1", folder.file("data"));
  fs::create_symlink("data/f", folder.file("f"));
  Watched watched(folder.file("f"));
  fs::create_symlink("v2", folder.file("next"));
  fs::rename(folder.file("next"), folder.file("data"));
  watched.expect(1);
}

TEST_CASE("a file is not told of while it is being written", "[file]") {
  const Folder folder;
  const std::string path = folder.file("f");
  write(path, "");
  Watched watched(path);
  // A byte before each check: no two checks find the same.
  for (int looks = 0; looks < 40; ++looks) {
    std::ofstream(path, std::ios::binary | std::ios::app) << 'x';
    watched.look();
  }
  CHECK(watched.changes.times == 0);
  watched.expect(1);
}

TEST_CASE("a file that is asked for is told of at the second equal check, changed or not",
          "[file]") {
  const Folder folder;
  const std::string path = folder.file("f");
  write(path, "one");
  Watched watched(path);
  watched.ask();
  watched.ask();
  CHECK(watched.changes.times == 0);
  watched.look();
  CHECK(watched.changes.times == 1);
  watched.settle();
  CHECK(watched.changes.times == 1);

  write(path, "another");
  watched.ask();
  CHECK(watched.changes.times == 1);
  watched.look();
  CHECK(watched.changes.times == 2);
  watched.settle();
  CHECK(watched.changes.times == 2);
}

TEST_CASE("a file that is asked for while it is being written is told of when that is done",
          "[file]") {
  const Folder folder;
  const std::string path = folder.file("f");
  write(path, "ha");
  Watched watched(path);
  watched.ask();
  for (int looks = 0; looks < 5; ++looks) {
    std::ofstream(path, std::ios::binary | std::ios::app) << "lf";
    watched.look();
    CHECK(watched.changes.times == 0);
  }
  watched.look();
  CHECK(watched.changes.times == 1);
}

TEST_CASE("a check that went before is none of the two that a report asks for", "[file]") {
  const Folder folder;
  const std::string path = folder.file("f");
  write(path, "one");
  Watched watched(path);
  write(path, "half");
  watched.look();
  watched.ask();
  CHECK(watched.changes.times == 0);
  write(path, "whole!");
  watched.look();
  CHECK(watched.changes.times == 0);
  watched.look();
  CHECK(watched.changes.times == 1);
}

TEST_CASE("work is done on another thread and its end told on the loop", "[work]") {
  TestLoop loop;
  Count ends;
  Work work(loop, bind<&Count::up>(&ends));
  std::thread::id worker;
  for (int round = 1; round <= 2; ++round) {
    work.start([&] { worker = std::this_thread::get_id(); });
    CHECK(work.is_busy());
    loop.run_until([&] { return ends.times == round; });
    CHECK_FALSE(work.is_busy());
    CHECK(worker != std::thread::id());
    CHECK(worker != std::this_thread::get_id());
  }
}

TEST_CASE("nobody is told of the end of work whose owner is gone", "[work]") {
  TestLoop loop;
  Count ends;
  const auto done = std::make_shared<std::atomic<bool>>(false);
  auto work = std::make_unique<Work>(loop, bind<&Count::up>(&ends));
  auto go_on = std::make_shared<std::atomic<bool>>(false);
  work->start([done, go_on] {
    while (!*go_on)
      std::this_thread::yield();
    *done = true;
  });
  // In progress or cancelled by now: either way it ends.
  work.reset();
  *go_on = true;
  loop.run_until([&] { return !loop->has_requests(); });
  CHECK(ends.times == 0);
}

TEST_CASE("work that never ends can be abandoned for other work", "[work]") {
  TestLoop loop;
  Count ends;
  Work work(loop, bind<&Count::up>(&ends));
  auto go_on = std::make_shared<std::atomic<bool>>(false);
  work.start([go_on] {
    while (!*go_on)
      std::this_thread::yield();
  });
  work.abandon();
  CHECK_FALSE(work.is_busy());
  work.start([] {});
  loop.run_until([&] { return ends.times == 1; });
  *go_on = true;
  loop.run_until([&] { return !loop->has_requests(); });
  CHECK(ends.times == 1);
}

}  // namespace sluice::event
