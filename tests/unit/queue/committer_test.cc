#include "queue/committer.h"

#include <future>

#include "../log_capture.h"
#include "../test_loop.h"
#include "store_lab.h"

namespace sluice::queue {
namespace {

struct CommitterLab final : CommitterEvents {
  explicit CommitterLab(Store::Options options = {})
      : committer(std::make_unique<Committer>(loop, std::make_unique<Store>(disk.disk(), options),
                                              *this, random)) {}

  void on_opened(const Store::OpenResult& result) override { opened.push_back(result.fault); }
  void on_committed(const CommitResult& result, std::unique_ptr<Batch> batch) override {
    results.push_back(result);
    given_back = std::move(batch);
    was_ready = committer->is_ready();
  }
  void on_ready() override {
    ++readies;
    if (next) committer->commit(std::move(next));
  }

  void open() {
    committer->open();
    loop.run_until([&] { return !opened.empty(); });
  }
  void add_lane() {
    bool is_there = false;
    committer->run(
        [](Store& store) {
          Lane lane{.broker = "b", .url = "mqtt://b"};
          return store.put_lane(lane);
        },
        [&](const Fault& fault) { is_there = !fault; });
    loop.run_until([&] { return is_there; });
  }
  static std::unique_ptr<Batch> batch(Seq seq, std::size_t bytes = 4) {
    auto made = std::make_unique<Batch>();
    made->rows.add({.lane = 1, .seq = seq, .topic = "t", .payload = std::string(bytes, 'x')});
    return made;
  }
  void commit(Seq seq, std::size_t bytes = 4) {
    committer->commit(batch(seq, bytes));
    const std::size_t count = results.size() + 1;
    loop.run_until([&] { return results.size() == count; });
  }
  void wait_until_ready() {
    loop.run_until([&] { return committer->is_ready(); });
  }

  LossyDisk disk;  // the first: a job that was left behind may still use it
  event::TestLoop loop;
  Random random{1};
  std::vector<Fault> opened;
  std::vector<CommitResult> results;
  std::unique_ptr<Batch> given_back;
  std::unique_ptr<Batch> next;
  int readies = 0;
  bool was_ready = false;
  std::unique_ptr<Committer> committer;  // the last, so that it ends first
};

TEST_CASE("a batch comes back with what became of it", "[queue]") {
  CommitterLab lab;
  CHECK_FALSE(lab.committer->is_open());
  lab.open();
  CHECK_FALSE(lab.opened[0]);
  lab.add_lane();
  lab.commit(1);
  CHECK(lab.results[0].rows == Fate::Committed);
  REQUIRE(lab.given_back);
  CHECK(lab.given_back->rows[0].seq == 1);
  CHECK(lab.was_ready);
}

TEST_CASE("the next batch may start as soon as nothing runs", "[queue]") {
  CommitterLab lab;
  lab.open();
  lab.add_lane();
  lab.next = CommitterLab::batch(2);
  lab.commit(1);
  lab.loop.run_until([&] { return lab.results.size() == 2; });
  CHECK(lab.results[1].rows == Fate::Committed);
}

TEST_CASE("a checkpoint that is due starts when its batch is reported", "[queue]") {
  Store::Options options;
  options.checkpoint_pages = 8;
  CommitterLab lab(options);
  lab.open();
  lab.add_lane();
  const std::uint64_t before = lab.disk.disk()->size(Store::kFile);
  lab.commit(1, 100000);
  CHECK_FALSE(lab.was_ready);
  lab.wait_until_ready();
  CHECK(lab.disk.disk()->size(Store::kFile) > before + 90000);
}

TEST_CASE("a file that is left alone for a second is looked after", "[queue]") {
  Store::Options options;
  options.vacuum_pages = 4;
  CommitterLab lab(options);
  lab.open();
  lab.add_lane();
  lab.commit(1, 200000);
  auto removal = std::make_unique<Batch>();
  removal->removals.push_back({1, 1});
  lab.committer->commit(std::move(removal));
  lab.loop.run_until([&] { return lab.results.size() == 2; });
  lab.loop.advance(Committer::kIdle);
  lab.loop.run_until(
      [&] { return lab.committer->is_ready() && lab.disk.disk()->size(Store::kFile) < 100000; });
}

TEST_CASE("after a failure the store is opened again, first within five seconds", "[queue]") {
  LogCapture log;
  CommitterLab lab;
  lab.open();
  lab.add_lane();
  lab.disk.fail({.what = Failure::What::Sync, .at = lab.disk.syncs(), .goes_on = true});
  lab.commit(1);
  CHECK(lab.results[0].rows == Fate::Unknown);
  CHECK_FALSE(lab.committer->is_open());
  CHECK(log.count("error queue: closed (I/O error: disk I/O error); next attempt in ") == 1);

  const Duration first = lab.loop.advance_until([&] { return lab.opened.size() == 2; });
  CHECK(first >= Committer::kReopenMin / 2);
  CHECK(first <= Committer::kReopenMin);
  CHECK(lab.opened[1].trouble == Trouble::IoError);
  lab.disk.heal();
  lab.loop.advance_until([&] { return lab.opened.size() == 3; });
  CHECK_FALSE(lab.opened[2]);
  CHECK(lab.committer->is_open());
  CHECK(log.count("info  queue: open again") == 1);
  lab.commit(2);
  CHECK(lab.results[1].rows == Fate::Committed);
}

TEST_CASE("a corrupt file that was replaced is logged with its new name", "[queue]") {
  LogCapture log;
  CommitterLab lab;
  REQUIRE(lab.disk.disk()->create("queue.db"));
  lab.disk.damage("queue.db", 0, std::string(10000, 'x'));
  lab.open();
  CHECK(lab.committer->is_open());
  CHECK(log.count("error queue: the file was corrupt (file is not a database) and is now "
                  "queue.db.corrupt-") == 1);
}

TEST_CASE("a full disk is logged once, and once that there is room again", "[queue]") {
  LogCapture log;
  CommitterLab lab;
  lab.disk.set_capacity(1000000);
  lab.open();
  CHECK(lab.committer->is_full());
  lab.add_lane();
  lab.commit(1);
  CHECK(lab.results[0].fault.trouble == Trouble::DiskFull);
  CHECK(log.count("queue: the disk is full; messages are removed, but none is stored") == 1);
  lab.disk.set_capacity(0);
  lab.loop.advance(Committer::kIdle);
  lab.loop.run_until([&] { return !lab.committer->is_full(); });
  CHECK(log.count("queue: there is room on the disk again") == 1);
  lab.wait_until_ready();
  lab.commit(2);
  CHECK(lab.results[1].rows == Fate::Committed);
}

TEST_CASE("a disk that hangs does not stop the loop", "[queue]") {
  CommitterLab lab;
  lab.open();
  lab.add_lane();
  std::promise<void> hangs;
  lab.disk.before_change = [&, wait = hangs.get_future().share()] { wait.wait(); };
  lab.committer->commit(CommitterLab::batch(1));
  event::Count ticks;
  event::Timer timer(lab.loop, bind<&event::Count::up>(&ticks));
  timer.start_repeating(std::chrono::seconds(1));
  lab.loop.advance(std::chrono::seconds(30));
  CHECK(ticks.times == 30);
  CHECK(lab.results.empty());
  CHECK_FALSE(lab.committer->is_ready());
  hangs.set_value();
  lab.loop.run_until([&] { return lab.results.size() == 1; });
  CHECK(lab.results[0].rows == Fate::Committed);
}

TEST_CASE("an owner that ends leaves a running job behind", "[queue]") {
  CommitterLab lab;
  lab.open();
  lab.add_lane();
  lab.committer->commit(CommitterLab::batch(1));
  lab.committer.reset();
  lab.loop.run_turns(3);
  CHECK(lab.results.empty());
}

}  // namespace
}  // namespace sluice::queue
