#include "queue/schema.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "queue/mutants.h"

namespace sluice::queue::schema {
namespace {

// A cell that makes no sense is found when its page is read.
constexpr std::array kPragmas = {
    "PRAGMA journal_mode=WAL",  "PRAGMA journal_size_limit=-1", "PRAGMA cache_size=-8192",
    "PRAGMA temp_store=MEMORY", "PRAGMA cell_size_check=ON",
};

// Counts change in the transaction that changes the rows, so that a start counts nothing. No index
// on rows: it would double the writes.
constexpr const char* kTables =
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;"
    "CREATE TABLE lane(id INTEGER PRIMARY KEY, broker TEXT NOT NULL UNIQUE, url TEXT NOT NULL,"
    " messages INTEGER NOT NULL, bytes INTEGER NOT NULL, paused INTEGER NOT NULL);"
    "CREATE TABLE identifier(lane INTEGER NOT NULL, client_id TEXT NOT NULL,"
    " keepalive_s INTEGER NOT NULL);"
    "CREATE TABLE dead(seq INTEGER PRIMARY KEY, lane INTEGER NOT NULL, device INTEGER NOT NULL,"
    " accepted_ms INTEGER NOT NULL, died_ms INTEGER NOT NULL, reason TEXT NOT NULL,"
    " reason_code INTEGER NOT NULL, flags INTEGER NOT NULL, topic BLOB NOT NULL,"
    " payload BLOB NOT NULL, properties BLOB);";

constexpr const char* kLaneColumns =
    "(seq INTEGER PRIMARY KEY, device INTEGER NOT NULL, accepted_ms INTEGER NOT NULL,"
    " expires_ms INTEGER NOT NULL, flags INTEGER NOT NULL, topic BLOB NOT NULL,"
    " payload BLOB NOT NULL, properties BLOB)";

Fault fault_of(const Database& database, int code) {
  if (trouble_of(code) == Trouble::None) return {};
  return {trouble_of(code), database.error()};
}

Fault create(Database& database, std::int64_t now_ms) {
  const std::string meta = fmt::format(
      "INSERT INTO meta VALUES('schema', {}), ('created', {}), ('next_seq', 1), ('dead', 0);",
      kVersion, now_ms);
  int code = database.run("BEGIN IMMEDIATE");
  if (code == 0) code = database.run(kTables);
  if (code == 0) code = database.run(meta.c_str());
  if (code == 0) code = database.run("COMMIT");
  return fault_of(database, code);
}

Fault load_lanes(Database& database, Contents& contents) {
  Statement lanes = database.prepare("SELECT id, broker, url, messages, bytes, paused FROM lane");
  while (lanes && lanes.step())
    contents.lanes.push_back({lanes.integer(0), std::string(lanes.bytes(1)),
                              std::string(lanes.bytes(2)), lanes.integer(3), lanes.integer(4),
                              lanes.integer(5) != 0});
  if (!lanes) return {Trouble::Corrupt, database.error()};
  if (lanes.code() != 0) return fault_of(database, lanes.code());
  for (const Lane& lane : contents.lanes) {
    int code = 0;
    const std::string sql =
        fmt::format("SELECT count(*) FROM sqlite_schema WHERE name='{}'", table_of(lane.id));
    const bool has_table = database.integer(sql, code) == 1;
    if (code != 0) return fault_of(database, code);
    if (!has_table) return {Trouble::Corrupt, fmt::format("there is no {}", table_of(lane.id))};
  }
  return {};
}

Fault load_identifiers(Database& database, Contents& contents) {
  Statement known = database.prepare("SELECT lane, client_id, keepalive_s FROM identifier");
  while (known && known.step())
    contents.identifiers.push_back(
        {known.integer(0), std::string(known.bytes(1)), known.integer(2)});
  if (!known) return {Trouble::Corrupt, database.error()};
  return fault_of(database, known.code());
}

}  // namespace

std::string table_of(LaneId lane) {
  return fmt::format("lane_{}", lane);
}

Fault configure(Database& database) {
  // The lock comes first: then the log needs no shared memory.
  int code = database.run("PRAGMA locking_mode=EXCLUSIVE");
  if (code != 0) return fault_of(database, code);
  const bool is_new = database.integer("PRAGMA page_count", code) == 0;
  if (code != 0) return fault_of(database, code);
  // What deletes leave is given back in steps. In a file that is not new this would write to it.
  if (is_new) code = database.run("PRAGMA page_size=4096; PRAGMA auto_vacuum=INCREMENTAL");
  if (code != 0) return fault_of(database, code);
  for (const char* pragma : kPragmas)
    if (code = database.run(pragma); code != 0) return fault_of(database, code);
  const bool syncs = !is_mutant(Mutant::SynchronousNormal);
  code = database.run(syncs ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL");
  if (code != 0) return fault_of(database, code);
  const std::string mode = database.text("PRAGMA journal_mode", code);
  if (code != 0) return fault_of(database, code);
  if (mode != "wal") return {Trouble::IoError, "no write-ahead log is possible in this folder"};
  return {};
}

Fault prepare(Database& database, std::int64_t now_ms) {
  int code = 0;
  const std::int64_t tables = database.integer("SELECT count(*) FROM sqlite_schema", code);
  if (code != 0) return fault_of(database, code);
  if (tables == 0) return create(database, now_ms);
  const std::int64_t metas =
      database.integer("SELECT count(*) FROM sqlite_schema WHERE name='meta'", code);
  if (code != 0) return fault_of(database, code);
  const std::int64_t version =
      metas == 0 ? 0 : database.integer("SELECT value FROM meta WHERE key='schema'", code);
  if (code != 0) return fault_of(database, code);
  if (version < 1) return {Trouble::Corrupt, "it is not a queue of sluice"};
  if (version <= kVersion) return {};
  return {Trouble::NewerSchema,
          fmt::format("its schema is {}, this version knows {} at most; start the newer version "
                      "or name another folder",
                      version, kVersion)};
}

Fault load(Database& database, Contents& contents) {
  contents = {};
  int code = 0;
  contents.next_seq = database.integer("SELECT value FROM meta WHERE key='next_seq'", code);
  if (code != 0) return fault_of(database, code);
  contents.dead_letters = database.integer("SELECT value FROM meta WHERE key='dead'", code);
  if (code != 0) return fault_of(database, code);
  if (contents.next_seq < 1) return {Trouble::Corrupt, "meta has no next_seq"};
  if (Fault fault = load_lanes(database, contents)) return fault;
  return load_identifiers(database, contents);
}

int put_lane(Database& database, Lane& lane) {
  int code = 0;
  const bool is_new = lane.id == 0;
  if (is_new) lane.id = database.integer("SELECT coalesce(max(id), 0) + 1 FROM lane", code);
  if (code != 0) return code;
  if (lane.id > kMostLanes) return kNoSuchLane;
  Statement put = database.prepare(
      is_new ? "INSERT INTO lane(broker, url, paused, id, messages, bytes) VALUES(?, ?, ?, ?, 0, 0)"
             : "UPDATE lane SET broker=?, url=?, paused=? WHERE id=?");
  if (!put) return database.last_code();
  put.bind_text(lane.broker).bind_text(lane.url).bind(lane.paused ? 1 : 0).bind(lane.id);
  code = put.run();
  if (code != 0 || !is_new) return code;
  const std::string table = fmt::format("CREATE TABLE {}{}", table_of(lane.id), kLaneColumns);
  return database.run(table.c_str());
}

int put_identifiers(Database& database, LaneId lane, const std::vector<Identifier>& identifiers) {
  Statement remove = database.prepare("DELETE FROM identifier WHERE lane=?");
  Statement insert = database.prepare("INSERT INTO identifier VALUES(?, ?, ?)");
  if (!remove || !insert) return database.last_code();
  int code = remove.bind(lane).run();
  for (const Identifier& known : identifiers)
    if (code == 0)
      code = insert.bind(lane).bind_text(known.client_id).bind(known.keep_alive_s).run();
  return code;
}

int read_dead(Database& database, Seq after, std::size_t count, std::vector<DeadLetter>& into) {
  Statement letters = database.prepare(
      "SELECT lane, seq, device, accepted_ms, died_ms, reason, reason_code, flags, topic, payload,"
      " properties FROM dead WHERE seq>? ORDER BY seq LIMIT ?");
  if (!letters) return database.last_code();
  letters.bind(after).bind(static_cast<std::int64_t>(count));
  const auto text = [&](int column) { return std::string(letters.bytes(column)); };
  while (letters.step())
    into.push_back({letters.integer(0), letters.integer(1), letters.integer(2), letters.integer(3),
                    letters.integer(4), text(5), letters.integer(6), letters.integer(7), text(8),
                    text(9), text(10)});
  return letters.code();
}

}  // namespace sluice::queue::schema
