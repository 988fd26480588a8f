#include "queue/store.h"

#include "store_lab.h"

namespace sluice::queue {
namespace {

using Seqs = std::vector<Seq>;

TEST_CASE("rows keep what they were given while more are added", "[queue]") {
  Rows rows;
  std::string text = "first";
  rows.add({.lane = 1, .seq = 1, .topic = text, .payload = text, .properties = ""});
  text = "other";
  for (Seq seq = 2; seq < 1000; ++seq)
    rows.add({.lane = 1, .seq = seq, .topic = text, .payload = text, .properties = text});
  CHECK(rows[0] == Row{.lane = 1, .seq = 1, .topic = "first", .payload = "first"});
  CHECK(rows[998].properties == "other");
  CHECK(rows.bytes() == 10 + 998 * 15);
  rows.clear();
  CHECK(rows.empty());
}

TEST_CASE("a batch takes 1,024 rows or 1 MiB, and a larger row alone", "[queue]") {
  Batch batch;
  const std::string large(2 * Batch::kMostBytes, 'x');
  CHECK(batch.fits({.payload = large}));
  batch.rows.add({.payload = "x"});
  CHECK_FALSE(batch.fits({.payload = large}));
  CHECK(batch.fits({.payload = std::string_view(large).substr(0, Batch::kMostBytes - 1)}));
  CHECK_FALSE(batch.fits({.payload = std::string_view(large).substr(0, Batch::kMostBytes)}));
  while (batch.rows.size() < Batch::kMostRows)
    batch.rows.add({.payload = "x"});
  CHECK_FALSE(batch.fits({.payload = "x"}));
  while (batch.fits_removal())
    batch.removals.push_back({1, 1});
  CHECK(batch.removal_count() == Batch::kMostRemovals);
}

TEST_CASE("what was committed is there after a restart, as it was given", "[queue]") {
  StoreLab lab;
  const std::string binary("\0\xff{", 3);
  const Row row = lab.row(5, binary);
  const CommitResult result = lab.store->commit(StoreLab::batch_of({row, lab.row(6, "")}));
  CHECK(result.rows == Fate::Committed);
  CHECK_FALSE(result.fault);

  const Store::OpenResult opened = lab.reopen();
  REQUIRE_FALSE(opened.fault);
  CHECK(opened.contents.next_seq == 7);
  REQUIRE(opened.contents.lanes.size() == 1);
  const auto bytes = static_cast<std::int64_t>(row.bytes() + lab.row(6, "").bytes());
  CHECK(
      opened.contents.lanes[0] ==
      Lane{.id = lab.lane, .broker = "o2o", .url = "mqtt://broker", .messages = 2, .bytes = bytes});
  Rows rows;
  REQUIRE_FALSE(lab.store->read(lab.lane, 0, 10, 1000, rows));
  REQUIRE(rows.size() == 2);
  CHECK(rows[0] == row);
  CHECK(rows[1].payload.empty());
}

TEST_CASE("rows are read in order from a number on, by count or by bytes", "[queue]") {
  StoreLab lab;
  lab.put(6, 10);
  lab.put(1, 5);
  Rows rows;
  REQUIRE_FALSE(lab.store->read(lab.lane, 3, 4, 1000000, rows));
  REQUIRE(rows.size() == 4);
  CHECK(rows[0].seq == 4);
  CHECK(rows[3].seq == 7);
  rows.clear();
  REQUIRE_FALSE(lab.store->read(lab.lane, 0, 100, lab.row(1).bytes() + 1, rows));
  CHECK(rows.size() == 2);
}

TEST_CASE("a removed row is gone, and its number is not given again", "[queue]") {
  StoreLab lab;
  lab.put(1, 5);
  CHECK(lab.remove(1, 5).removals == Fate::Committed);
  CHECK(lab.reopen().contents.next_seq == 6);
  CHECK(lab.stored().empty());
  CHECK(lab.contents().lanes[0].messages == 0);
  CHECK(lab.contents().lanes[0].bytes == 0);
}

TEST_CASE("repeating a batch changes nothing", "[queue]") {
  StoreLab lab;
  lab.put(1, 3);
  Batch batch = StoreLab::batch_of({lab.row(3)});
  batch.removals.push_back({lab.lane, 1});
  batch.deaths.push_back({lab.lane, 2, 5000, "expired", 0});
  for (int i = 0; i < 2; ++i) {
    CHECK(lab.store->commit(batch).rows == Fate::Committed);
    CHECK(lab.stored() == Seqs{3});
    CHECK(lab.dead() == Seqs{2});
    CHECK(lab.contents().lanes[0].messages == 1);
    CHECK(lab.contents().dead_letters == 1);
  }
  lab.put(3, 3, "another");
  CHECK(lab.contents().lanes[0].messages == 1);
  CHECK(lab.contents().lanes[0].bytes == static_cast<std::int64_t>(lab.row(3).bytes()));
}

TEST_CASE("a row that cannot be sent becomes a dead letter", "[queue]") {
  StoreLab lab;
  lab.put(1, 1);
  Batch batch;
  batch.deaths.push_back({lab.lane, 1, 5000, "rejected", 0x87});
  CHECK(lab.store->commit(batch).removals == Fate::Committed);
  std::vector<DeadLetter> letters;
  REQUIRE_FALSE(lab.store->read_dead(0, 10, letters));
  REQUIRE(letters.size() == 1);
  CHECK(letters[0].lane == lab.lane);
  CHECK(letters[0].device == 7);
  CHECK(letters[0].accepted_ms == 1000);
  CHECK(letters[0].died_ms == 5000);
  CHECK(letters[0].reason == "rejected");
  CHECK(letters[0].reason_code == 0x87);
  CHECK(letters[0].flags == 1);
  CHECK(letters[0].topic == "dev/7");
  CHECK(letters[0].payload == "open");
  CHECK(letters[0].properties == "p");
  batch.clear();
  batch.dropped.push_back(1);
  CHECK(lab.store->commit(batch).removals == Fate::Committed);
  CHECK(lab.dead().empty());
  CHECK(lab.contents().dead_letters == 0);
}

TEST_CASE("the oldest dead letters go when there are too many, and are counted", "[queue]") {
  Store::Options options;
  options.dead_letters = 3;
  StoreLab lab(options);
  lab.put(1, 5);
  Batch batch;
  for (Seq seq = 1; seq <= 5; ++seq)
    batch.deaths.push_back({lab.lane, seq, 5000, "expired", 0});
  CHECK(lab.store->commit(batch).dead_discarded == 2);
  CHECK(lab.dead() == Seqs{3, 4, 5});
  CHECK(lab.reopen().contents.dead_letters == 3);
}

TEST_CASE("lanes have rows, names and client identifiers of their own", "[queue]") {
  StoreLab lab;
  Lane other{.broker = "c2c", .url = "mqtt://other", .paused = true};
  REQUIRE_FALSE(lab.store->put_lane(other));
  CHECK(other.id != lab.lane);
  REQUIRE_FALSE(lab.store->put_identifiers(lab.lane, {{0, "a-0", 60}, {0, "a-1", 60}}));
  REQUIRE_FALSE(lab.store->put_identifiers(other.id, {{0, "b-0", 30}}));
  REQUIRE_FALSE(lab.store->put_identifiers(lab.lane, {{0, "a-2", 60}}));
  Row row = lab.row(1);
  row.lane = other.id;
  lab.store->commit(StoreLab::batch_of({row, lab.row(2)}));
  other.url = "mqtt://moved";
  REQUIRE_FALSE(lab.store->put_lane(other));

  const Contents contents = lab.reopen().contents;
  REQUIRE(contents.lanes.size() == 2);
  CHECK(contents.lanes[1].url == "mqtt://moved");
  CHECK(contents.lanes[1].paused);
  CHECK(contents.lanes[1].messages == 1);
  CHECK(lab.stored() == Seqs{2});
  CHECK(contents.identifiers ==
        std::vector<Identifier>{{other.id, "b-0", 30}, {lab.lane, "a-2", 60}});
}

TEST_CASE("a row for a lane that does not exist is refused, and the store goes on", "[queue]") {
  StoreLab lab;
  Row stray = lab.row(2);
  for (const LaneId lane : {LaneId{0}, LaneId{77}, kMostLanes + 1}) {
    stray.lane = lane;
    const CommitResult result = lab.store->commit(StoreLab::batch_of({lab.row(1), stray}));
    CHECK(result.rows == Fate::NotWritten);
    CHECK(result.fault.trouble == Trouble::Misuse);
    CHECK(lab.stored().empty());
  }
  CHECK(lab.put(1, 1).rows == Fate::Committed);
}

TEST_CASE("there are at most 256 lanes", "[queue]") {
  StoreLab lab;
  Fault fault;
  LaneId made = lab.lane;
  while (!fault) {
    Lane lane{.broker = std::to_string(made), .url = "mqtt://b"};
    fault = lab.store->put_lane(lane);
    if (!fault) made = lane.id;
  }
  CHECK(fault.trouble == Trouble::Misuse);
  CHECK(made == kMostLanes);
  CHECK(lab.put(1, 1).rows == Fate::Committed);
}

}  // namespace
}  // namespace sluice::queue
