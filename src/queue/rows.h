// Messages as the store knows them, many in one block of memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::queue {

/// A broker's part of the queue. Positive; given by the store.
using LaneId = std::int64_t;
/// A message's number: one counter for all lanes, in the order of acceptance. Positive.
using Seq = std::int64_t;

/// One stored message. Refers to bytes that others own.
struct Row {
  LaneId lane = 0;
  Seq seq = 0;
  std::int64_t device = 0;
  std::int64_t accepted_ms = 0;  ///< wall clock, since 1970
  std::int64_t expires_ms = 0;   ///< the same; 0: never
  std::int64_t flags = 0;        ///< QoS, retain, fan-out: the queue's own bits
  std::string_view topic = {};
  std::string_view payload = {};
  std::string_view properties = {};  ///< MQTT 5 properties as on the wire; may be empty

  /// What a row counts for: what its sender decides about. The file holds about 40 bytes more.
  std::size_t bytes() const noexcept { return topic.size() + payload.size() + properties.size(); }
  bool operator==(const Row&) const = default;
};

/// Rows that own their bytes, which lie one behind another: adding one allocates nothing once this
/// has been as large before.
class Rows {
 public:
  void add(const Row& row) {
    kept_.push_back({row, bytes_.size()});
    bytes_.append(row.topic).append(row.payload).append(row.properties);
  }
  /// Valid until the next add(), clear() or move.
  Row operator[](std::size_t index) const noexcept {
    Row row = kept_[index].row;
    const char* from = bytes_.data() + kept_[index].offset;
    row.topic = {from, row.topic.size()};
    row.payload = {row.topic.data() + row.topic.size(), row.payload.size()};
    row.properties = {row.payload.data() + row.payload.size(), row.properties.size()};
    return row;
  }
  std::size_t size() const noexcept { return kept_.size(); }
  std::size_t bytes() const noexcept { return bytes_.size(); }
  bool empty() const noexcept { return kept_.empty(); }
  /// Keeps the memory.
  void clear() noexcept {
    kept_.clear();
    bytes_.clear();
  }

 private:
  struct Kept {
    Row row;  // of its texts only the sizes count: bytes_ moves as it grows
    std::size_t offset;
  };

  std::vector<Kept> kept_;
  std::string bytes_;
};

}  // namespace sluice::queue
