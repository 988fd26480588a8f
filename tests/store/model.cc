#include "model.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "queue/mutants.h"

namespace sluice::queue {
namespace {

std::string text_of(const Row& row) {
  return fmt::format("{} {} {} {} {} {} {}", row.lane, row.device, row.accepted_ms, row.flags,
                     row.topic, row.payload, row.properties);
}

std::string text_of(const DeadLetter& letter) {
  const Row row{letter.lane,  letter.seq,   letter.device,  letter.accepted_ms, 0,
                letter.flags, letter.topic, letter.payload, letter.properties};
  return fmt::format("{} {} {} {}", letter.died_ms, letter.reason, letter.reason_code,
                     text_of(row));
}

/// Only what judges: a mutant is in the store that is judged.
class WithoutMutants {
 public:
#ifdef SLUICE_STORE_MUTANTS
  WithoutMutants() : before_(std::exchange(active_mutant, Mutant::None)) {}
  ~WithoutMutants() {
    active_mutant = before_;
  }
  WithoutMutants(const WithoutMutants&) = delete;
  WithoutMutants& operator=(const WithoutMutants&) = delete;

 private:
  Mutant before_;
#endif
};

}  // namespace

Store::Options hurried_options() {
  Store::Options options;
  options.dead_letters = 4;
  options.reserve_bytes = 131072;
  options.checkpoint_pages = 12;
  options.vacuum_pages = 4;
  options.wall_clock_ms = [] { return std::int64_t{1800000000000}; };
  return options;
}

std::string difference(const State& is, const State& should) {
  std::string text;
  for (const auto& [lane, rows] : should.rows)
    for (const auto& [seq, row] : rows)
      if (!is.rows.contains(lane) || !is.rows.at(lane).contains(seq))
        text += fmt::format(" {}:{} is missing;", lane, seq);
      else if (is.rows.at(lane).at(seq) != row)
        text += fmt::format(" {}:{} has changed;", lane, seq);
  for (const auto& [lane, rows] : is.rows)
    for (const auto& [seq, row] : rows)
      if (!should.rows.contains(lane) || !should.rows.at(lane).contains(seq))
        text += fmt::format(" {}:{} is back;", lane, seq);
  if (is.dead != should.dead)
    text += fmt::format(" {} dead letters for {};", is.dead.size(), should.dead.size());
  if (is.lanes != should.lanes)
    text += fmt::format(" {} lanes for {};", is.lanes.size(), should.lanes.size());
  if (is.identifiers != should.identifiers) text += " other identifiers;";
  if (is.next_seq != should.next_seq)
    text += fmt::format(" next_seq is {} for {};", is.next_seq, should.next_seq);
  return text;
}

State State::with(const Batch& batch) const {
  State next = *this;
  for (std::size_t i = 0; i < batch.rows.size(); ++i) {
    const Row row = batch.rows[i];
    next.rows[row.lane].emplace(row.seq, text_of(row));
    next.next_seq = std::max(next.next_seq, row.seq + 1);
  }
  return next.without(batch);
}

State State::without(const Batch& batch, std::size_t removals) const {
  State next = *this;
  std::size_t done = 0;
  for (const Removal& removal : batch.removals)
    if (done++ < removals) next.rows[removal.lane].erase(removal.seq);
  for (const Seq seq : batch.dropped)
    if (done++ < removals) next.dead.erase(seq);
  for (const Death& death : batch.deaths) {
    auto& of_lane = next.rows[death.lane];
    const auto found = of_lane.find(death.seq);
    if (done++ >= removals || found == of_lane.end()) continue;
    next.dead[death.seq] =
        fmt::format("{} {} {} {}", death.died_ms, death.reason, death.reason_code, found->second);
    of_lane.erase(found);
  }
  const auto most = static_cast<std::size_t>(hurried_options().dead_letters);
  while (next.dead.size() > most)
    next.dead.erase(next.dead.begin());
  return next;
}

State read_state(Store& store, std::string& fault) {
  State state;
  Contents contents;
  if (Fault failed = store.load(contents)) fault = failed.detail;
  state.next_seq = contents.next_seq;
  state.identifiers = std::move(contents.identifiers);
  for (Lane lane : contents.lanes) {
    Rows rows;
    if (Fault failed = store.read(lane.id, 0, 1000000, std::size_t{1} << 30, rows))
      fault = failed.detail;
    for (std::size_t i = 0; i < rows.size(); ++i)
      state.rows[lane.id][rows[i].seq] = text_of(rows[i]);
    if (std::exchange(lane.messages, 0) != static_cast<std::int64_t>(rows.size()) ||
        std::exchange(lane.bytes, 0) != static_cast<std::int64_t>(rows.bytes()))
      fault = fmt::format("lane {} does not count what it has", lane.id);
    state.lanes.push_back(lane);
    state.rows.try_emplace(lane.id);
  }
  std::vector<DeadLetter> dead;
  if (Fault failed = store.read_dead(0, 1000000, dead)) fault = failed.detail;
  if (contents.dead_letters != static_cast<std::int64_t>(dead.size()))
    fault = "dead letters are not counted";
  for (const DeadLetter& letter : dead)
    state.dead[letter.seq] = text_of(letter);
  return state;
}

std::string judge(const Medium& medium, const std::vector<State>& possible, bool deeper) {
  const WithoutMutants guard;
  std::vector<DiskState> cuts;
  std::string fault;
  std::mt19937_64 random(cuts.size() + medium.size());
  {
    LossyDisk disk(medium);
    if (deeper) disk.before_change = [&] { cuts.push_back(disk.state()); };
    Store store(disk.disk(), hurried_options());
    const Store::OpenResult opened = store.open();
    if (opened.fault) return "cannot be opened: " + opened.fault.detail;
    if (!opened.quarantined.empty()) return "was taken for corrupt: " + opened.corruption;
    const State state = read_state(store, fault);
    if (!fault.empty()) return fault;
    if (std::find(possible.begin(), possible.end(), state) == possible.end())
      return fmt::format("differs from all {}:{}", possible.size(),
                         difference(state, possible.front()));
    disk.before_change = nullptr;
  }
  for (const DiskState& cut : cuts) {
    for (const Loss loss : {Loss::Everything, Loss::Some}) {
      fault = judge(cut.after_power_cut(loss, random), possible);
      if (!fault.empty()) return "after another power cut " + fault;
    }
  }
  return {};
}

}  // namespace sluice::queue
