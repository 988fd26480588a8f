// Output buffers, reused by all clients of a server.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace sluice::client {

/// A client holds a buffer only while it has replies to send. Not thread-safe.
class Buffers {
 public:
  /// An empty string, perhaps with capacity.
  std::string take() noexcept {
    if (free_.empty()) return {};
    std::string buffer = std::move(free_.back());
    free_.pop_back();
    return buffer;
  }
  void give_back(std::string&& buffer) {
    const std::size_t capacity = buffer.capacity();
    if (free_.size() >= kMostKept || capacity < kSmallestKept || capacity > kLargestKept) {
      std::string().swap(buffer);
      return;
    }
    buffer.clear();
    free_.push_back(std::move(buffer));
    buffer = {};
  }

 private:
  static constexpr std::size_t kMostKept = 64;
  static constexpr std::size_t kSmallestKept = 128;
  static constexpr std::size_t kLargestKept = 65536;
  std::vector<std::string> free_;
};

}  // namespace sluice::client
