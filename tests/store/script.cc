#include "script.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace sluice::queue {
namespace {

constexpr LaneId kLanes = 3;
constexpr int kPhase = 12;  // steps of growing, then as many of shrinking

}  // namespace

Script::Script(LossyDisk& disk, std::uint64_t seed, bool large)
    : disk_(disk),
      random_(seed),
      store_(std::make_unique<Store>(disk.disk(), hurried_options())),
      large_(large) {}

void Script::start() {
  (void)store_->open();  // after a failure: recover()
}

std::string Script::step() {
  ++steps_;
  if (!store_->is_open()) return step_while_closed();
  if (possible_.front().lanes.size() < kLanes) return add_lane();
  const std::size_t what = below(20);
  if (what == 0) return restart();
  if (what == 1) {
    State after = possible_.front();
    const auto lane = static_cast<LaneId>(1 + below(kLanes));
    std::vector<Identifier> known;
    for (std::size_t i = below(4); i > 0; --i)
      known.push_back({lane, text(5, 20), 60});
    std::erase_if(after.identifiers, [&](const Identifier& one) { return one.lane == lane; });
    std::copy(known.begin(), known.end(), std::back_inserter(after.identifiers));
    return change([&] { return store_->put_identifiers(lane, known); }, std::move(after));
  }
  if (what == 2) {
    State after = possible_.front();
    Lane& lane = after.lanes[below(kLanes)];
    lane.url = text(5, 20);
    Lane put = lane;
    return change([&] { return store_->put_lane(put); }, std::move(after));
  }
  if (what < 6 || store_->wants_upkeep()) {
    for (int i = 0; i < 6 && store_->upkeep().more; ++i) {
    }
    return {};
  }
  return commit_random();
}

std::string Script::step_while_closed() {
  Batch batch;
  batch.rows.add({.lane = 1, .seq = next_});
  batch.removals.push_back({1, 1});
  const CommitResult result = store_->commit(batch);
  const bool is_refused = result.rows == Fate::NotWritten && result.removals == Fate::NotWritten;
  return is_refused && result.fault ? "" : "a closed store takes a batch";
}

std::string Script::add_lane() {
  Lane lane{.broker = fmt::format("b{}", possible_.front().lanes.size()), .url = "mqtt://b"};
  State after = possible_.front();
  after.lanes.push_back(lane);
  after.lanes.back().id = static_cast<LaneId>(after.lanes.size());
  after.rows.try_emplace(after.lanes.back().id);
  return change([&] { return store_->put_lane(lane); }, std::move(after));
}

/// Something other than a batch that is all there or not at all.
template <class Change>
std::string Script::change(Change change, State after) {
  possible_.push_back(std::move(after));
  const Fault fault = change();
  if (!fault) possible_.erase(possible_.begin());
  // After a failure only what a new start finds tells.
  if (fault.trouble == Trouble::DiskFull) possible_.pop_back();
  return {};
}

std::string Script::commit_random() {
  Batch batch;
  fill(batch);
  const State before = possible_.front();
  possible_.push_back(before.with(batch));
  possible_.push_back(before.without(batch));
  return settle(batch, store_->commit(batch));
}

std::string Script::settle(const Batch& batch, const CommitResult& result) {
  const State before = possible_.front();
  possible_.clear();
  const bool rows_may_not = result.rows != Fate::Committed || batch.rows.empty();
  if (result.rows != Fate::NotWritten) possible_.push_back(before.with(batch));
  if (rows_may_not) possible_.push_back(before.without(batch));
  // Where space is short removals are done in pieces, and not all of them may be.
  if (rows_may_not && result.removals != Fate::Committed)
    for (std::size_t removals = 0; removals < batch.removal_count(); ++removals)
      possible_.push_back(before.without(batch, removals));
  const bool is_done = result.rows == Fate::Committed && result.removals == Fate::Committed;
  if (is_done && result.fault) return "a batch that was committed reports " + result.fault.detail;
  if (!is_done && !result.fault) return "a batch that was not committed reports no trouble";
  // A batch that failed leaves a choice: in a running store its transaction was rolled back.
  if (store_->is_open() && possible_.size() > 1) {
    std::string wrong;
    const State now = read_state(*store_, wrong);
    if (!store_->is_open()) return {};
    if (!wrong.empty()) return wrong;
    if (std::find(possible_.begin(), possible_.end(), now) == possible_.end())
      return "a batch was partly undone";
    possible_ = {now};
  }
  return {};
}

std::string Script::restart() {
  if (below(3) != 0) (void)store_->close();
  store_ = std::make_unique<Store>(disk_.disk(), hurried_options());
  return recover();
}

std::string Script::recover() {
  if (store_->is_open()) return {};
  const Store::OpenResult opened = store_->open();
  if (!opened.quarantined.empty()) return "was taken for corrupt: " + opened.corruption;
  if (opened.fault) return disk_.has_failed() ? "" : "does not open: " + opened.fault.detail;
  std::string wrong;
  const State now = read_state(*store_, wrong);
  if (!store_->is_open()) return {};
  if (!wrong.empty()) return wrong;
  if (std::find(possible_.begin(), possible_.end(), now) == possible_.end())
    return fmt::format("opened again it differs from all {}:{}", possible_.size(),
                       difference(now, possible_.front()));
  possible_ = {now};
  return {};
}

void Script::fill(Batch& batch) {
  const bool grows = steps_ % (2 * kPhase) < kPhase;
  for (std::size_t i = below(grows ? 10 : 3); i > 0; --i) {
    const std::string topic = text(5, 30);
    const std::string payload = large_ && below(12) == 0 ? text(3000, 9000) : text(0, 300);
    const std::string properties = below(3) == 0 ? text(1, 30) : "";
    batch.rows.add({static_cast<LaneId>(1 + below(kLanes)), next_++,
                    static_cast<std::int64_t>(below(1000)), 1000 + steps_, 0,
                    static_cast<std::int64_t>(below(8)), topic, payload, properties});
  }
  const State& before = possible_.front();
  for (const auto& [lane, rows] : before.rows) {
    for (const auto& [seq, row] : rows) {
      const std::size_t lot = below(grows ? 40 : 6);
      if (lot == 0) batch.removals.push_back({lane, seq});
      if (lot == 1 && below(4) == 0) batch.deaths.push_back({lane, seq, steps_, "expired", 0});
    }
  }
  for (const auto& [seq, letter] : before.dead)
    if (below(6) == 0) batch.dropped.push_back(seq);
}

std::string Script::text(std::size_t least, std::size_t most) {
  std::string made(least + below(most - least + 1), ' ');
  for (char& letter : made)
    letter = static_cast<char>('a' + below(26));
  return made;
}

}  // namespace sluice::queue
