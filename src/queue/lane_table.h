// The statements of one lane's table, and what they changed since the last commit.
#pragma once

#include <cstdint>

#include "queue/database.h"

namespace sluice::queue {

/// Lives as long as the Database. All functions but read() are for within a transaction.
class LaneTable {
 public:
  /// Prepares the statements; on an error is_ready() is false.
  LaneTable(Database& database, LaneId lane);

  bool is_ready() const noexcept { return insert_ && measure_ && remove_ && make_dead_ && read_; }
  LaneId lane() const noexcept { return lane_; }

  // Each returns SQLite's code.
  int insert(const Row& row) noexcept;
  int remove(Seq seq) noexcept;
  /// The row becomes a dead letter; `moved` says whether there was one.
  int make_dead(const Death& death, bool& moved) noexcept;

  /// Appends rows above `after` in their order, at most `rows` of them; no more once `bytes` are
  /// reached.
  int read(Seq after, std::size_t rows, std::size_t bytes, Rows& into);

  std::int64_t messages_added() const noexcept { return messages_; }
  std::int64_t bytes_added() const noexcept { return bytes_; }
  bool has_changed() const noexcept { return messages_ != 0 || bytes_ != 0; }
  void start_counting() noexcept { messages_ = bytes_ = 0; }

 private:
  Database& database_;
  LaneId lane_;
  Statement insert_;
  Statement measure_;
  Statement remove_;
  Statement make_dead_;
  Statement read_;
  std::int64_t messages_ = 0;
  std::int64_t bytes_ = 0;
};

}  // namespace sluice::queue
