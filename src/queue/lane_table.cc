#include "queue/lane_table.h"

#include <fmt/format.h>

#include "queue/schema.h"

namespace sluice::queue {

LaneTable::LaneTable(Database& database, LaneId lane) : database_(database), lane_(lane) {
  const std::string table = schema::table_of(lane);
  insert_ = database.prepare(
      fmt::format("INSERT INTO {} VALUES(?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", table));
  // In two statements, as DELETE … RETURNING takes more than twice the time.
  measure_ = database.prepare(
      fmt::format("SELECT length(topic) + length(payload) + ifnull(length(properties), 0) "
                  "FROM {} WHERE seq=?",
                  table));
  remove_ = database.prepare(fmt::format("DELETE FROM {} WHERE seq=?", table));
  make_dead_ = database.prepare(
      fmt::format("INSERT INTO dead SELECT seq, ?, device, accepted_ms, ?, ?, ?, flags, topic, "
                  "payload, properties FROM {} WHERE seq=? ON CONFLICT DO NOTHING",
                  table));
  read_ = database.prepare(
      fmt::format("SELECT seq, device, accepted_ms, expires_ms, flags, topic, payload, properties "
                  "FROM {} WHERE seq>? ORDER BY seq LIMIT ?",
                  table));
}

int LaneTable::insert(const Row& row) noexcept {
  insert_.bind(row.seq).bind(row.device).bind(row.accepted_ms).bind(row.expires_ms);
  insert_.bind(row.flags).bind_blob(row.topic).bind_blob(row.payload).bind_blob(row.properties);
  const int code = insert_.run();
  if (code != 0 || database_.changes() == 0) return code;
  ++messages_;
  bytes_ += static_cast<std::int64_t>(row.bytes());
  return 0;
}

int LaneTable::remove(Seq seq) noexcept {
  measure_.bind(seq);
  const bool is_there = measure_.step();
  const std::int64_t bytes = is_there ? measure_.integer(0) : 0;
  const int code = measure_.finish();
  if (code != 0 || !is_there) return code;
  --messages_;
  bytes_ -= bytes;
  return remove_.bind(seq).run();
}

int LaneTable::make_dead(const Death& death, bool& moved) noexcept {
  make_dead_.bind(lane_).bind(death.died_ms).bind_text(death.reason).bind(death.reason_code);
  const int code = make_dead_.bind(death.seq).run();
  moved = code == 0 && database_.changes() > 0;
  return code != 0 ? code : remove(death.seq);
}

int LaneTable::read(Seq after, std::size_t rows, std::size_t bytes, Rows& into) {
  const std::size_t enough = into.bytes() + bytes;
  read_.bind(after).bind(static_cast<std::int64_t>(rows));
  while (read_.step()) {
    into.add({lane_, read_.integer(0), read_.integer(1), read_.integer(2), read_.integer(3),
              read_.integer(4), read_.bytes(5), read_.bytes(6), read_.bytes(7)});
    if (into.bytes() >= enough) break;
  }
  const int code = read_.code();
  read_.reset();
  return code;
}

}  // namespace sluice::queue
