// What goes to the disk in one transaction, and what became of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "queue/rows.h"

namespace sluice::queue {

/// Names a stored row that is no longer needed.
struct Removal {
  LaneId lane = 0;
  Seq seq = 0;
};

/// Names a stored row that becomes a dead letter.
struct Death {
  LaneId lane = 0;
  Seq seq = 0;
  std::int64_t died_ms = 0;
  std::string reason;            ///< a word of the protocol: expired, rejected, …
  std::int64_t reason_code = 0;  ///< the broker's, or 0
};

/// One transaction. The owner fills it while fits() holds. All of it is idempotent: a row that is
/// there already, or a removal of one that is not there, changes nothing.
struct Batch {
  /// Larger ones make commits longer than the replies that wait for the next one should wait.
  static constexpr std::size_t kMostRows = 1024;
  static constexpr std::size_t kMostBytes = 1048576;  ///< a larger row goes alone
  static constexpr std::size_t kMostRemovals = 4096;  ///< removals, deaths and dropped together

  Rows rows;
  std::vector<Removal> removals;
  std::vector<Death> deaths;
  std::vector<Seq> dropped;  ///< dead letters that are no longer needed

  bool fits(const Row& row) const noexcept {
    if (rows.empty()) return true;
    return rows.size() < kMostRows && rows.bytes() + row.bytes() <= kMostBytes;
  }
  bool fits_removal() const noexcept { return removal_count() < kMostRemovals; }
  std::size_t removal_count() const noexcept {
    return removals.size() + deaths.size() + dropped.size();
  }
  bool empty() const noexcept { return rows.empty() && removal_count() == 0; }
  /// Keeps the memory.
  void clear() noexcept {
    rows.clear();
    removals.clear();
    deaths.clear();
    dropped.clear();
  }
};

/// What keeps the store from its work.
enum class Trouble : std::uint8_t {
  None,
  DiskFull,     ///< rows are refused until there is room; removals go on
  IoError,      ///< the store has closed itself: open() again, after a while
  Corrupt,      ///< the same, and open() looks whether the file has to be replaced
  NewerSchema,  ///< written by a newer version: it is left alone
  InUse,        ///< another process has the folder
  Misuse,       ///< a lane that does not exist, or one too many; nothing was written
};
const char* to_string(Trouble trouble) noexcept;

/// A step that failed, or did not.
struct Fault {
  Trouble trouble = Trouble::None;
  std::string detail = {};  ///< SQLite's or the system's words; empty without trouble
  explicit operator bool() const noexcept { return trouble != Trouble::None; }
};

/// What became of a part of a batch.
enum class Fate : std::uint8_t {
  Committed,   ///< on the disk, synced; also when there was nothing to do
  NotWritten,  ///< rolled back: it is not there, after a restart neither
  Unknown,     ///< the commit failed halfway: it may be there after the next open()
};

struct CommitResult {
  Fate rows = Fate::NotWritten;
  /// Removals, deaths and dropped. After anything but Committed a part of them may have been
  /// done; they are to be repeated in a later batch.
  Fate removals = Fate::NotWritten;
  Fault fault = {};
  std::int64_t dead_discarded = 0;  ///< dead letters that went because there were too many
};

}  // namespace sluice::queue
