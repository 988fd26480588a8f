// The tables of the queue's file: one table of rows for each lane.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "queue/database.h"

namespace sluice::queue {

/// A client identifier under which connections of a lane were made: messages of a process that
/// ended may still be in a socket of it.
struct Identifier {
  LaneId lane = 0;
  std::string client_id;
  std::int64_t keep_alive_s = 0;
  bool operator==(const Identifier&) const = default;
};

/// A lane stays when its broker is removed. With this many a new one is refused.
constexpr LaneId kMostLanes = 256;

/// One broker's part of the queue.
struct Lane {
  LaneId id = 0;
  std::string broker;  ///< its name; no two lanes share one
  std::string url;
  std::int64_t messages = 0;
  std::int64_t bytes = 0;  ///< Row::bytes() of all of them
  bool paused = false;
  bool operator==(const Lane&) const = default;
};

/// A stored message that will not be sent: it expired, or the broker refused it.
struct DeadLetter {
  LaneId lane = 0;
  Seq seq = 0;
  std::int64_t device = 0;
  std::int64_t accepted_ms = 0;
  std::int64_t died_ms = 0;
  std::string reason;
  std::int64_t reason_code = 0;
  std::int64_t flags = 0;
  std::string topic;
  std::string payload;
  std::string properties;
};

/// All but the rows and the dead letters.
struct Contents {
  std::vector<Lane> lanes;
  std::vector<Identifier> identifiers;
  Seq next_seq = 1;  ///< above all that was ever stored
  std::int64_t dead_letters = 0;
};

namespace schema {

/// Of the file. A file with a higher one is refused; a lower one will be converted.
constexpr std::int64_t kVersion = 1;

constexpr std::uint64_t kPageBytes = 4096;

/// Sets a new connection up: how it locks, logs and syncs.
Fault configure(Database& database);
/// Makes the tables where there are none; refuses those of a newer version, and reports those of
/// another program as corrupt.
Fault prepare(Database& database, std::int64_t now_ms);
Fault load(Database& database, Contents& contents);
// These return SQLite's code. The first two are for within a transaction.

/// Inserts a lane with its table, if `lane.id` is 0, which is set then; else writes its name, its
/// url and whether it is paused.
int put_lane(Database& database, Lane& lane);
/// Replaces what is known of a lane.
int put_identifiers(Database& database, LaneId lane, const std::vector<Identifier>& identifiers);
int read_dead(Database& database, Seq after, std::size_t count, std::vector<DeadLetter>& into);

std::string table_of(LaneId lane);

}  // namespace schema
}  // namespace sluice::queue
