#include "sweeps.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

#include "lossy_disk.h"
#include "model.h"
#include "script.h"

namespace sluice::queue {
namespace {

using What = Failure::What;

/// Steps after a failure that are judged, and the last one.
constexpr int kClose = 4;

const char* name_of(Loss loss) {
  constexpr const char* kNames[] = {"nothing", "everything", "what came later", "some", "torn"};
  return kNames[static_cast<int>(loss)];
}

const char* name_of(What what) {
  constexpr const char* kNames[] = {"none", "write", "no space", "sync", "read", "short read"};
  return kNames[static_cast<int>(what)];
}

/// Judges every power cut of one step.
class CutJudge {
 public:
  CutJudge(const Extent& extent, std::uint64_t seed, std::uint64_t& cuts)
      : extent_(extent), random_(seed), cuts_(cuts) {}

  std::string judge_all(const DiskState& moment, const std::vector<State>& possible) {
    for (const Loss loss : kLosses) {
      const bool is_random = loss != Loss::Nothing && loss != Loss::Everything;
      for (int i = is_random ? extent_.random_losses : 1; i > 0; --i) {
        const bool deeper = ++cuts_ % static_cast<std::uint64_t>(extent_.deeper_each) == 0;
        std::string wrong = judge(moment.after_power_cut(loss, random_), possible, deeper);
        if (!wrong.empty()) return fmt::format("losing {}: {}", name_of(loss), wrong);
      }
    }
    return {};
  }

 private:
  const Extent& extent_;
  std::mt19937_64 random_;
  std::uint64_t& cuts_;
};

/// A run with one failure.
std::string run_with(const Failure& failure, std::uint64_t seed, int steps, LossyDisk& disk) {
  disk.fail(failure);
  // Zeros in the place of a row's last page are not noticed by SQLite: it has no checksums.
  Script script(disk, seed, failure.what != What::ShortRead);
  std::string wrong;
  script.start();
  int closed = 0;
  int behind = 0;  // steps since the failure
  for (int step = 0; step < steps && wrong.empty(); ++step) {
    if (!script.is_open() && (!failure.goes_on || ++closed > 2)) {
      disk.heal();
      wrong = script.recover();
      if (wrong.empty() && !script.is_open()) wrong = "does not open on a disk that is well";
    } else {
      wrong = script.step();
    }
    // What was reported must be safe at once, also behind a failure.
    if (disk.has_failed()) ++behind;
    if (wrong.empty() && behind > 0 && (behind <= kClose || step + 1 == steps))
      wrong = judge(disk.after_power_cut(Loss::Everything), script.possible());
    if (!wrong.empty()) wrong = fmt::format("step {}: {}", step, wrong);
  }
  return wrong;
}

std::string sweep(What what, std::uint64_t count, std::uint64_t seed, int steps,
                  std::uint64_t& runs) {
  for (const bool goes_on : {false, true}) {
    if (goes_on && what == What::ShortRead) continue;  // the file is gone, and is given up
    for (std::uint64_t at = 0; at < count; ++at) {
      ++runs;
      LossyDisk disk({}, seed + at);
      const std::string wrong = run_with({what, at, goes_on}, seed, steps, disk);
      if (!wrong.empty())
        return fmt::format("seed {}, {} {} fails{}: {}", seed, name_of(what), at,
                           goes_on ? " and all that follow" : "", wrong);
    }
  }
  return {};
}

/// How many calls a script makes where nothing fails.
std::string count_calls(std::uint64_t seed, int steps, LossyDisk& disk) {
  return run_with({}, seed, steps, disk);
}

/// A store on a small disk.
class SmallDisk {
 public:
  explicit SmallDisk(std::uint64_t seed) : random_(seed), disk_({}, seed) {
    disk_.set_capacity(kCapacity);
  }

  std::string run() {
    Lane lane{.broker = "b", .url = "mqtt://b"};
    if (store_.open().fault || store_.put_lane(lane)) return "does not start";
    state_.lanes = {lane};
    state_.rows.try_emplace(lane.id);
    for (const auto part : {&SmallDisk::fill, &SmallDisk::let_others_fill, &SmallDisk::drain,
                            &SmallDisk::take_again}) {
      std::string wrong = (this->*part)();
      if (!wrong.empty()) return wrong;
    }
    return {};
  }

 private:
  static constexpr std::uint64_t kCapacity = 600000;
  static constexpr std::size_t kRemovals = 100;

  void add_rows(Batch& batch) {
    const std::string payload(100 + random_() % 2000, 'x');
    for (std::size_t i = random_() % 10 + 1; i > 0; --i)
      batch.rows.add({1, next_++, 5, 1, 0, 0, "topic", payload, ""});
  }

  std::string fill() {
    for (;;) {
      Batch batch;
      add_rows(batch);
      const CommitResult result = store_.commit(batch);
      if (result.fault.trouble == Trouble::DiskFull)
        return result.rows == Fate::NotWritten ? compare() : "rows on a full disk";
      if (result.fault) return "not full, but " + result.fault.detail;
      state_ = state_.with(batch);
      if (random_() % 2 == 0) (void)store_.upkeep();
    }
  }

  /// Others take what is left, and half of the time what a restart gives back.
  std::string let_others_fill() {
    if (random_() % 2 == 0) {
      (void)store_.close();
      disk_.set_others(disk_.free_bytes());
      const Store::OpenResult opened = store_.open();
      if (opened.fault) return "does not open on a full disk: " + opened.fault.detail;
    }
    disk_.set_others(0);
    disk_.set_others(disk_.free_bytes());
    return {};
  }

  /// Each removal has to succeed.
  std::string drain() {
    while (!state_.rows[1].empty()) {
      Batch batch;
      for (const auto& [seq, row] : state_.rows[1])
        if (batch.removals.size() < kRemovals && random_() % 3 != 0)
          batch.removals.push_back({1, seq});
      const CommitResult result = store_.commit(batch);
      if (result.removals != Fate::Committed)
        return fmt::format("no removal: {} ({})", result.fault.detail, sizes());
      state_ = state_.without(batch);
    }
    return compare();
  }

  std::string take_again() {
    disk_.set_others(0);
    for (int i = 0; i < 1000 && store_.upkeep().more; ++i) {
    }
    if (!store_.has_reserve()) return "the reserve was not made again";
    Batch batch;
    add_rows(batch);
    const CommitResult result = store_.commit(batch);
    if (result.rows != Fate::Committed) return "no row is taken again: " + result.fault.detail;
    state_ = state_.with(batch);
    return compare();
  }

  std::string sizes() {
    std::string text = fmt::format("{} free", disk_.free_bytes());
    for (const auto& [name, file] : disk_.state().names)
      text += fmt::format(", {} {}", name, disk_.state().files.at(file).seen.size());
    return text;
  }

  std::string compare() { return judge(disk_.after_power_cut(Loss::Everything), {state_}); }

  std::mt19937_64 random_;
  LossyDisk disk_;
  Store store_{disk_.disk(), hurried_options()};
  State state_;
  Seq next_ = 1;
};

}  // namespace

std::string sweep_power_cuts(std::uint64_t seed, const Extent& extent, std::uint64_t& cuts) {
  LossyDisk disk({}, seed);
  std::vector<DiskState> moments;
  disk.before_change = [&] { moments.push_back(disk.state()); };
  Script script(disk, seed);
  CutJudge judge(extent, seed, cuts);
  for (int step = 0; step <= extent.steps; ++step) {
    std::vector<State> possible = script.possible();
    std::string wrong;
    if (step == 0)
      script.start();
    else
      wrong = script.step();
    // Before the step's end it may have happened or not.
    possible.insert(possible.end(), script.possible().begin(), script.possible().end());
    for (const DiskState& moment : moments)
      if (wrong.empty()) wrong = judge.judge_all(moment, possible);
    moments.clear();
    if (wrong.empty()) wrong = judge.judge_all(disk.state(), script.possible());
    if (!wrong.empty()) return fmt::format("seed {}, step {}: {}", seed, step, wrong);
  }
  return {};
}

std::string sweep_failed_syncs(std::uint64_t seed, int steps, std::uint64_t& runs) {
  LossyDisk disk({}, seed);
  std::string wrong = count_calls(seed, steps, disk);
  return wrong.empty() ? sweep(What::Sync, disk.syncs(), seed, steps, runs) : wrong;
}

std::string sweep_failures(std::uint64_t seed, int steps, std::uint64_t& runs) {
  LossyDisk disk({}, seed);
  std::string wrong = count_calls(seed, steps, disk);
  const std::pair<What, std::uint64_t> kinds[] = {{What::Sync, disk.syncs()},
                                                  {What::Write, disk.writes()},
                                                  {What::NoSpace, disk.writes()},
                                                  {What::Read, disk.reads()},
                                                  {What::ShortRead, disk.reads()}};
  for (const auto& [what, count] : kinds)
    if (wrong.empty()) wrong = sweep(what, count, seed, steps, runs);
  return wrong;
}

std::string fill_disk(std::uint64_t seed) {
  const std::string wrong = SmallDisk(seed).run();
  return wrong.empty() ? wrong : fmt::format("seed {}, full disk: {}", seed, wrong);
}

}  // namespace sluice::queue
