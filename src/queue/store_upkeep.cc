// What keeps the store's files small and the disk usable, and what is done about failures.
#include <fmt/format.h>

#include <utility>

#include "queue/lane_table.h"
#include "queue/mutants.h"
#include "queue/store.h"

namespace sluice::queue {

bool Store::wants_upkeep() const noexcept {
  return is_open() && database_->log_pages() >= options_.checkpoint_pages;
}

Store::Upkeep Store::upkeep() {
  Upkeep done;
  done.fault = last_;
  if (!is_open()) return done;
  if (wants_upkeep()) {
    done.fault = checkpoint(false);
    if (done.fault.trouble == Trouble::DiskFull) done.fault = make_room();
    done.more = !done.fault;
    return done;
  }
  done.fault = vacuum_step(done.more);
  if (!done.fault && !done.more && has_vacuumed_) done.fault = checkpoint(has_reserve_);
  ensure_reserve();
  return done;
}

/// Gives back what is free at the end of the file, if that is most of it, or the disk is full.
Fault Store::vacuum_step(bool& more) {
  int code = 0;
  const std::int64_t pages = database_->integer("PRAGMA page_count", code);
  if (code != 0) return failed(code);
  const std::int64_t unused = database_->integer("PRAGMA freelist_count", code);
  if (code != 0) return failed(code);
  const bool is_worth_it = unused >= options_.vacuum_pages && unused > pages / 2;
  if (!is_worth_it && (has_reserve_ || unused == 0)) return {};
  code =
      database_->run(fmt::format("PRAGMA incremental_vacuum({})", options_.vacuum_pages).c_str());
  has_vacuumed_ = true;
  more = code == 0;
  return failed(code);
}

Fault Store::checkpoint(bool truncate) {
  if (is_mutant(Mutant::ReportBeforeCommit) && database_->in_transaction())
    database_->run("COMMIT");
  const int code = database_->checkpoint(truncate);
  if (code == 0) has_vacuumed_ = false;
  return failed(code);
}

/// On a full disk: with the reserve gone the log can be copied into the file, so that the next
/// transactions find room in it. It keeps its length, which others could take otherwise.
Fault Store::make_room() {
  drop_reserve();
  return checkpoint(false);
}

void Store::ensure_reserve() {
  if (has_reserve_ || is_mutant(Mutant::NoReserve)) return;
  // Twice the room: rows that come next must not need the reserve at once.
  if (disk_->free_bytes() < 2 * options_.reserve_bytes) return;
  has_reserve_ = static_cast<bool>(disk_->allocate(kReserveFile, options_.reserve_bytes));
}

void Store::drop_reserve() {
  disk_->remove(kReserveFile);
  has_reserve_ = false;
}

Fault Store::failed(int code) {
  const Trouble trouble = trouble_of(code);
  if (trouble == Trouble::None) return {};
  return failed(Fault{trouble, database_->error()});
}

Fault Store::failed(Fault fault) {
  if (fault.trouble == Trouble::Misuse) fault.detail = "no such lane, or one too many";
  if (fault.trouble == Trouble::None || fault.trouble == Trouble::DiskFull ||
      fault.trouble == Trouble::Misuse)
    return fault;
  give_up(fault);
  return fault;
}

void Store::give_up(const Fault& fault) {
  is_suspect_ = is_suspect_ || fault.trouble == Trouble::Corrupt;
  tables_.clear();
  database_.reset();
  last_ = fault;
}

std::uint64_t Store::file_bytes() const {
  return disk_->size(kFile) + disk_->size(std::string(kFile) + "-wal");
}

}  // namespace sluice::queue
