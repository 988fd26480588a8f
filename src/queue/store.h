// The durable queue's file: batches in, what became of them out. Plain blocking code for one thread
// at a time; it knows no loop, no request and no broker.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "queue/batch.h"
#include "queue/disk.h"
#include "queue/schema.h"

namespace sluice::queue {

class LaneTable;

/// The file, and beside it SQLite's log and the reserve. After any trouble but DiskFull and Misuse
/// the store has closed itself; open() may be called again, after a while.
class Store {
 public:
  static constexpr const char* kFile = "queue.db";
  static constexpr const char* kReserveFile = "queue.reserve";
  /// Corrupt files that are kept. With this many the store stays closed: the disk is at fault.
  static constexpr int kMostQuarantined = 8;

  struct Options {
    std::int64_t dead_letters = 10000;          ///< the oldest go first
    std::uint64_t reserve_bytes = 8388608;      ///< for removals on a full disk
    int checkpoint_pages = 1000;                ///< of 4 KiB in the log when upkeep() checkpoints
    int vacuum_pages = 256;                     ///< given back by one upkeep()
    std::int64_t (*wall_clock_ms)() = nullptr;  ///< since 1970; null: the system's
  };

  struct OpenResult {
    Fault fault = {};
    std::string quarantined = {};  ///< path of a corrupt file that was replaced by a new one
    std::string corruption = {};   ///< what was wrong with it
    Contents contents = {};
  };
  struct Upkeep {
    bool more = false;  ///< there is more to do at once
    Fault fault = {};
  };

  Store(std::unique_ptr<Disk> disk, const Options& options);
  ~Store();  ///< as a crash: nothing is written
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  /// Only while closed. What an earlier failed sync has left in the log is on the disk afterwards.
  OpenResult open();
  /// Copies the log into the file and closes. An error is only reported.
  Fault close();
  bool is_open() const noexcept { return database_ != nullptr; }
  /// The last failure, while closed.
  const Fault& why_closed() const noexcept { return last_; }

  /// One transaction. With a full disk the removals are committed without the rows. A batch that
  /// is reported as committed has been synced.
  CommitResult commit(const Batch& batch);

  /// Adds a lane, if its id is 0, or changes its name, url and pause.
  Fault put_lane(Lane& lane);
  /// Replaces what is known of a lane's client identifiers; on the disk before they are used.
  Fault put_identifiers(LaneId lane, const std::vector<Identifier>& identifiers);

  /// Appends rows of a lane above `after`, in their order, until there are `rows` of them or their
  /// bytes reach `bytes`.
  Fault read(LaneId lane, Seq after, std::size_t rows, std::size_t bytes, Rows& into);
  /// At most `count` dead letters above `after`.
  Fault read_dead(Seq after, std::size_t count, std::vector<DeadLetter>& into);
  Fault load(Contents& contents);

  /// Whether the log is long enough for upkeep() to be called before the next commit.
  bool wants_upkeep() const noexcept;
  /// One bounded step: a checkpoint, the reserve, or a piece of the file given back.
  Upkeep upkeep();

  bool has_reserve() const noexcept { return has_reserve_; }
  std::uint64_t file_bytes() const;  ///< with its log
  std::uint64_t free_bytes() const { return disk_->free_bytes(); }

 private:
  /// What a transaction came to.
  struct Attempt {
    Fate fate = Fate::NotWritten;
    Fault fault = {};
    std::int64_t dead_added = 0;
    std::int64_t dead_discarded = 0;
  };

  // store_open.cc
  Fault open_file(bool look_closely, Contents& contents);
  Fault look_closely();
  Fault quarantine(std::string& moved_to);
  std::int64_t wall_clock_ms() const;

  // store.cc
  template <class Work>
  Attempt transact(Work work);
  Fault shorten_log(const Batch& batch);
  Attempt write(const Batch& batch);
  Attempt remove(const Batch& batch, std::size_t from, std::size_t to);
  Attempt remove_in_pieces(const Batch& batch);
  int apply_rows(const Batch& batch);
  int apply_removals(const Batch& batch, std::size_t from, std::size_t to, Attempt& attempt);
  int apply_removal(const Batch& batch, std::size_t index, Attempt& attempt);
  int discard_oldest_dead(Attempt& attempt);
  int write_counts(Seq next_seq, const Attempt& attempt);
  LaneTable* table(LaneId lane, int& code);

  // store_upkeep.cc
  Fault checkpoint(bool truncate);
  Fault make_room();
  Fault vacuum_step(bool& more);
  void ensure_reserve();
  void drop_reserve();
  /// Takes a failure in: after most kinds the store closes itself.
  Fault failed(int code);
  Fault failed(Fault fault);
  void give_up(const Fault& fault);

  std::unique_ptr<Disk> disk_;
  Options options_;
  std::unique_ptr<Database> database_;
  std::vector<std::unique_ptr<LaneTable>> tables_;  // by id, of the lanes that were used
  Fault last_;                                      // why it is closed
  Seq next_seq_ = 1;
  std::int64_t dead_letters_ = 0;
  bool has_reserve_ = false;
  bool is_suspect_ = false;    // a page was found corrupt: open() looks at all of them
  int false_alarms_ = 0;       // suspicions that the look did not confirm
  bool has_vacuumed_ = false;  // since the last checkpoint
};

}  // namespace sluice::queue
