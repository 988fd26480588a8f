// A store on a lossy disk, with one lane, and short ways to use it.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "../catch.h"
#include "lossy_disk.h"
#include "queue/store.h"

namespace sluice::queue {

struct StoreLab {
  explicit StoreLab(Store::Options with = {}) : options(with) {
    open();
    Lane made{.broker = "o2o", .url = "mqtt://broker"};
    REQUIRE_FALSE(store->put_lane(made));
    lane = made.id;
  }

  /// As after the end of a process.
  Store::OpenResult reopen() {
    store = std::make_unique<Store>(disk.disk(), options);
    return store->open();
  }
  void open() { REQUIRE_FALSE(reopen().fault); }

  Row row(Seq seq, std::string_view payload = "open") const {
    return {.lane = lane,
            .seq = seq,
            .device = 7,
            .accepted_ms = 1000,
            .expires_ms = 2000,
            .flags = 1,
            .topic = "dev/7",
            .payload = payload,
            .properties = "p"};
  }
  static Batch batch_of(const std::vector<Row>& rows) {
    Batch batch;
    for (const Row& row : rows)
      batch.rows.add(row);
    return batch;
  }
  /// Stores rows of these numbers.
  CommitResult put(Seq first, Seq last, std::string_view payload = "open") {
    Batch batch;
    for (Seq seq = first; seq <= last; ++seq)
      batch.rows.add(row(seq, payload));
    return store->commit(batch);
  }
  CommitResult remove(Seq first, Seq last) {
    Batch batch;
    for (Seq seq = first; seq <= last; ++seq)
      batch.removals.push_back({lane, seq});
    return store->commit(batch);
  }
  std::vector<Seq> stored() {
    Rows rows;
    REQUIRE_FALSE(store->read(lane, 0, 100000, std::size_t{1} << 30, rows));
    std::vector<Seq> numbers;
    for (std::size_t i = 0; i < rows.size(); ++i)
      numbers.push_back(rows[i].seq);
    return numbers;
  }
  Contents contents() {
    Contents found;
    REQUIRE_FALSE(store->load(found));
    return found;
  }
  std::vector<Seq> dead() {
    std::vector<DeadLetter> letters;
    REQUIRE_FALSE(store->read_dead(0, 100000, letters));
    std::vector<Seq> numbers;
    for (const DeadLetter& letter : letters)
      numbers.push_back(letter.seq);
    return numbers;
  }
  /// Names on the disk.
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& [name, file] : disk.state().names)
      names.push_back(name);
    return names;
  }
  std::uint64_t size(const std::string& name) { return disk.disk()->size(name); }

  Store::Options options;
  LossyDisk disk;
  std::unique_ptr<Store> store;
  LaneId lane = 0;
};

}  // namespace sluice::queue
