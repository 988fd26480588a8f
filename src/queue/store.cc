#include "queue/store.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "queue/lane_table.h"
#include "queue/mutants.h"

namespace sluice::queue {
namespace {

/// Removals in one transaction where space is short; fewer where that is not enough.
constexpr std::size_t kPiece = 256;
/// A log of this many times checkpoint_pages is copied before the next commit, upkeep or not.
constexpr int kLongLog = 4;

}  // namespace

/// Runs `work` between BEGIN and COMMIT; it returns SQLite's code.
template <class Work>
Store::Attempt Store::transact(Work work) {
  if (is_mutant(Mutant::ReportBeforeCommit) && database_->in_transaction())
    database_->run("COMMIT");
  Attempt attempt;
  for (auto& table : tables_)
    if (table) table->start_counting();
  int code = database_->run("BEGIN IMMEDIATE");
  if (code == 0) code = work(attempt);
  const bool is_committing = code == 0;
  if (is_committing && !is_mutant(Mutant::ReportBeforeCommit)) code = database_->run("COMMIT");
  if (code == 0) {
    attempt.fate = Fate::Committed;
    dead_letters_ += attempt.dead_added;
    return attempt;
  }
  // A full disk has cut off the log where it grows, so the commit is not in it. After another error
  // it may be.
  const bool may_be_there = is_committing && trouble_of(code) != Trouble::DiskFull;
  attempt.fate = may_be_there ? Fate::Unknown : Fate::NotWritten;
  attempt.fault = failed(code);
  if (is_open() && database_->in_transaction()) database_->run("ROLLBACK");
  return attempt;
}

CommitResult Store::commit(const Batch& batch) {
  assert(batch.rows.size() <= Batch::kMostRows && batch.removal_count() <= Batch::kMostRemovals);
  CommitResult result;
  result.fault = is_open() ? shorten_log(batch) : last_;
  if (!is_open()) return result;
  if (!batch.rows.empty() && !has_reserve_ && !is_mutant(Mutant::NoReserve))
    result.fault = {Trouble::DiskFull, "there is no room for the reserve"};
  if (batch.rows.empty() || !result.fault) {
    Attempt attempt = write(batch);
    if (attempt.fate == Fate::Unknown && is_mutant(Mutant::RetryFailedSync) && !open().fault)
      attempt = write(batch);
    result = {attempt.fate, attempt.fate, std::move(attempt.fault), attempt.dead_discarded};
    if (result.fault.trouble != Trouble::DiskFull) return result;
  }
  // No room for the rows. Removals need some in the log, too, for which the reserve is kept.
  Attempt attempt = remove_in_pieces(batch);
  result.removals = attempt.fate;
  result.dead_discarded = attempt.dead_discarded;
  if (batch.rows.empty()) result.rows = Fate::Committed;
  if (attempt.fault || batch.rows.empty()) result.fault = std::move(attempt.fault);
  return result;
}

/// On a full disk the log has to fit into the file with the help of the reserve alone: only then is
/// there room for removals. Twice the rows is more than they take in the file, and in the log.
Fault Store::shorten_log(const Batch& batch) {
  const auto pages = static_cast<std::uint64_t>(database_->log_pages());
  const std::uint64_t needs = pages * schema::kPageBytes + 2 * batch.rows.bytes();
  const bool may_not_fit = needs > options_.reserve_bytes - options_.reserve_bytes / 8;
  const bool is_long = database_->log_pages() >= kLongLog * options_.checkpoint_pages;
  return pages > 0 && (is_long || (may_not_fit && !batch.rows.empty())) ? checkpoint(false)
                                                                        : Fault();
}

Store::Attempt Store::write(const Batch& batch) {
  Seq next_seq = next_seq_;
  for (std::size_t i = 0; i < batch.rows.size(); ++i)
    next_seq = std::max(next_seq, batch.rows[i].seq + 1);
  Attempt attempt = transact([&](Attempt& now) {
    int code = apply_rows(batch);
    if (code == 0) code = apply_removals(batch, 0, batch.removal_count(), now);
    return code == 0 ? write_counts(next_seq, now) : code;
  });
  if (attempt.fate == Fate::Committed) next_seq_ = next_seq;
  return attempt;
}

Store::Attempt Store::remove(const Batch& batch, std::size_t from, std::size_t to) {
  return transact([&](Attempt& now) {
    const int code = apply_removals(batch, from, to, now);
    return code == 0 ? write_counts(next_seq_, now) : code;
  });
}

Store::Attempt Store::remove_in_pieces(const Batch& batch) {
  Attempt all;
  all.fate = Fate::Committed;
  std::size_t most = kPiece;
  for (std::size_t from = 0; from < batch.removal_count() && all.fate == Fate::Committed;) {
    const std::size_t to = std::min(from + most, batch.removal_count());
    Attempt piece = remove(batch, from, to);
    if (piece.fault.trouble == Trouble::DiskFull) {
      const Fault fault = make_room();
      piece = is_open() ? remove(batch, from, to) : Attempt{.fault = fault};
    }
    if (piece.fault.trouble == Trouble::DiskFull && most > 1) {
      most /= 4;
      continue;
    }
    from = to;
    all.fate = piece.fate;
    all.fault = std::move(piece.fault);
    all.dead_discarded += piece.dead_discarded;
  }
  return all;
}

int Store::apply_rows(const Batch& batch) {
  int code = 0;
  for (std::size_t i = 0; i < batch.rows.size() && code == 0; ++i) {
    const Row row = batch.rows[i];
    LaneTable* lane = table(row.lane, code);
    if (lane != nullptr) code = lane->insert(row);
  }
  return code;
}

int Store::apply_removals(const Batch& batch, std::size_t from, std::size_t to, Attempt& attempt) {
  int code = 0;
  for (std::size_t i = from; i < to && code == 0; ++i)
    code = apply_removal(batch, i, attempt);
  return code == 0 ? discard_oldest_dead(attempt) : code;
}

/// Removals first, then what is dropped: a letter that goes anyway takes no other one's place.
int Store::apply_removal(const Batch& batch, std::size_t index, Attempt& attempt) {
  int code = 0;
  if (index < batch.removals.size()) {
    const Removal& removal = batch.removals[index];
    LaneTable* lane = table(removal.lane, code);
    return lane != nullptr ? lane->remove(removal.seq) : code;
  }
  index -= batch.removals.size();
  if (index < batch.dropped.size()) {
    Statement drop = database_->prepare("DELETE FROM dead WHERE seq=?");
    code = drop ? drop.bind(batch.dropped[index]).run() : database_->last_code();
    if (code == 0) attempt.dead_added -= database_->changes();
    return code;
  }
  const Death& death = batch.deaths[index - batch.dropped.size()];
  LaneTable* lane = table(death.lane, code);
  bool has_moved = false;
  if (lane != nullptr) code = lane->make_dead(death, has_moved);
  attempt.dead_added += has_moved ? 1 : 0;
  return code;
}

int Store::discard_oldest_dead(Attempt& attempt) {
  const std::int64_t excess = dead_letters_ + attempt.dead_added - options_.dead_letters;
  if (excess <= 0) return 0;
  Statement discard = database_->prepare(
      "DELETE FROM dead WHERE seq IN (SELECT seq FROM dead ORDER BY seq LIMIT ?)");
  const int code = discard ? discard.bind(excess).run() : database_->last_code();
  if (code != 0) return code;
  attempt.dead_discarded += database_->changes();
  attempt.dead_added -= database_->changes();
  return 0;
}

int Store::write_counts(Seq next_seq, const Attempt& attempt) {
  Statement lane =
      database_->prepare("UPDATE lane SET messages=messages+?, bytes=bytes+? WHERE id=?");
  Statement meta = database_->prepare("UPDATE meta SET value=? WHERE key=?");
  if (!lane || !meta) return database_->last_code();
  int code = 0;
  for (const auto& table : tables_) {
    if (code != 0 || !table || !table->has_changed()) continue;
    code = lane.bind(table->messages_added()).bind(table->bytes_added()).bind(table->lane()).run();
  }
  if (code == 0 && next_seq != next_seq_) code = meta.bind(next_seq).bind_text("next_seq").run();
  if (code == 0 && attempt.dead_added != 0)
    code = meta.bind(dead_letters_ + attempt.dead_added).bind_text("dead").run();
  return code;
}

LaneTable* Store::table(LaneId lane, int& code) {
  code = kNoSuchLane;
  if (lane < 1 || lane > kMostLanes) return nullptr;
  const auto index = static_cast<std::size_t>(lane);
  if (tables_.size() <= index) tables_.resize(index + 1);
  if (!tables_[index]) {
    auto prepared = std::make_unique<LaneTable>(*database_, lane);
    if (!prepared->is_ready()) {
      if (database_->last_code() != kSqlError) code = database_->last_code();
      return nullptr;
    }
    tables_[index] = std::move(prepared);
  }
  code = 0;
  return tables_[index].get();
}

Fault Store::put_lane(Lane& lane) {
  if (!is_open()) return last_;
  return transact([&](Attempt&) { return schema::put_lane(*database_, lane); }).fault;
}

Fault Store::put_identifiers(LaneId lane, const std::vector<Identifier>& identifiers) {
  if (!is_open()) return last_;
  return transact([&](Attempt&) { return schema::put_identifiers(*database_, lane, identifiers); })
      .fault;
}

Fault Store::read(LaneId lane, Seq after, std::size_t rows, std::size_t bytes, Rows& into) {
  if (!is_open()) return last_;
  int code = 0;
  LaneTable* from = table(lane, code);
  if (from != nullptr) code = from->read(after, rows, bytes, into);
  return failed(code);
}

Fault Store::read_dead(Seq after, std::size_t count, std::vector<DeadLetter>& into) {
  if (!is_open()) return last_;
  return failed(schema::read_dead(*database_, after, count, into));
}

Fault Store::load(Contents& contents) {
  if (!is_open()) return last_;
  return failed(schema::load(*database_, contents));
}

}  // namespace sluice::queue
