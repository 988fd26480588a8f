// Opening and closing the store, and what is done with a file that is corrupt.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <chrono>
#include <ctime>
#include <utility>

#include "queue/lane_table.h"
#include "queue/mutants.h"
#include "queue/store.h"

namespace sluice::queue {
namespace {

constexpr std::string_view kLog = "-wal";  // SQLite's name for it, behind the file's
constexpr std::string_view kCorrupt = ".corrupt-";
constexpr int kMostFalseAlarms = 2;

}  // namespace

Store::Store(std::unique_ptr<Disk> disk, const Options& options)
    : disk_(std::move(disk)), options_(options) {}

Store::~Store() = default;

Store::OpenResult Store::open() {
  assert(!is_open());
  OpenResult result;
  if (auto locked = disk_->lock(); !locked) {
    result.fault = last_ = {Trouble::InUse, locked.error().what};
    return result;
  }
  result.fault = open_file(is_suspect_, result.contents);
  if (result.fault.trouble == Trouble::Corrupt && !std::exchange(is_suspect_, true))
    result.fault = open_file(true, result.contents);  // it may have been one failed read
  if (result.fault.trouble == Trouble::Corrupt) {
    result.corruption = std::move(result.fault.detail);
    result.fault = quarantine(result.quarantined);
    if (!result.fault) result.fault = open_file(false, result.contents);
  }
  if (result.fault) {
    give_up(result.fault);
    return result;
  }
  is_suspect_ = false;
  last_ = {};
  next_seq_ = result.contents.next_seq = std::max(next_seq_, result.contents.next_seq);
  dead_letters_ = result.contents.dead_letters;
  return result;
}

Fault Store::open_file(bool closely, Contents& contents) {
  tables_.clear();
  database_.reset();
  const std::string log = std::string(kFile).append(kLog);
  if (!disk_->exists(kFile) && disk_->exists(log)) {
    // Left by a quarantine that a crash interrupted. It would be taken for the new file's.
    std::string moved;
    if (Fault fault = quarantine(moved)) return fault;
  }
  if (auto created = disk_->create(kFile); !created)
    return {Trouble::IoError, created.error().what};
  // After a failed sync the system may show pages of the log that are not on the disk, and that no
  // later sync would write. What is committed behind them would be lost with them.
  if (!is_mutant(Mutant::RetryFailedSync))
    if (auto rewritten = disk_->rewrite(log); !rewritten)
      return {Trouble::IoError, rewritten.error().what};
  database_ = std::make_unique<Database>(disk_->path(kFile), disk_->vfs());
  if (database_->code() != 0) return {trouble_of(database_->code()), database_->error()};
  if (Fault fault = schema::configure(*database_)) return fault;
  if (closely)
    if (Fault fault = look_closely()) return fault;
  if (Fault fault = schema::prepare(*database_, wall_clock_ms())) return fault;
  if (Fault fault = schema::load(*database_, contents)) return fault;
  database_->set_log_pages(static_cast<int>(disk_->size(log) / schema::kPageBytes));
  has_reserve_ = disk_->size(kReserveFile) >= options_.reserve_bytes;
  ensure_reserve();
  return {};
}

Fault Store::look_closely() {
  int code = 0;
  const std::string found = database_->text("PRAGMA quick_check(1)", code);
  if (code != 0) return {trouble_of(code), database_->error()};
  if (found != "ok") return {Trouble::Corrupt, found};
  if (++false_alarms_ > kMostFalseAlarms)
    return {Trouble::Corrupt, "pages are found corrupt again and again"};
  return {};
}

Fault Store::quarantine(std::string& moved_to) {
  tables_.clear();
  database_.reset();
  const std::string file = kFile;
  const std::string log = file + std::string(kLog);
  const std::string beginning = file + std::string(kCorrupt);
  if (disk_->count(beginning) >= 2 * kMostQuarantined)  // each with its log
    return {Trouble::IoError,
            fmt::format("{} is corrupt, and there are {} corrupt files already; recover what is "
                        "in them (sqlite3 FILE .recover), or delete them",
                        disk_->path(file), kMostQuarantined)};
  const std::time_t now = static_cast<std::time_t>(wall_clock_ms() / 1000);
  std::string aside = fmt::format("{}{:%Y%m%dT%H%M%SZ}", beginning, fmt::gmtime(now));
  for (int more = 2; disk_->exists(aside) || disk_->exists(aside + std::string(kLog)); ++more)
    aside = fmt::format("{}{:%Y%m%dT%H%M%SZ}.{}", beginning, fmt::gmtime(now), more);
  // The file first: a log without its file is recognized, a file without its log is not.
  for (const std::string_view ending : {std::string_view(), kLog}) {
    auto renamed = disk_->rename(file + std::string(ending), aside + std::string(ending));
    if (!renamed) return {Trouble::IoError, renamed.error().what};
  }
  moved_to = disk_->path(aside);
  false_alarms_ = 0;
  return {};
}

Fault Store::close() {
  if (!is_open()) return {};
  // Without the reserve the log keeps its length: removals may find no room but this.
  Fault fault = checkpoint(has_reserve_);
  tables_.clear();
  database_.reset();
  return fault;
}

std::int64_t Store::wall_clock_ms() const {
  if (options_.wall_clock_ms != nullptr) return options_.wall_clock_ms();
  using std::chrono::milliseconds, std::chrono::system_clock;
  const auto now = system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<milliseconds>(now).count();
}

}  // namespace sluice::queue
