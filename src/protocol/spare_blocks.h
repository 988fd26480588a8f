// Memory for large requests that come in pieces, kept for the next ones.
#pragma once

#include <cstddef>
#include <vector>

#include "protocol/block.h"

namespace sluice::protocol {

/// Unused blocks, shared by all FrameReaders of a server: a new one costs a page fault for each of
/// its pages. Bounded by kMaxBytes. Not thread-safe.
class SpareBlocks {
 public:
  /// The limit of all kept blocks together.
  static constexpr std::size_t kMaxBytes = 16 << 20;
  /// The smallest block. All sizes are a little more than a power of two, so that a payload of such
  /// a size fits with the request around it.
  static constexpr std::size_t kSmallest = 17 << 10;

  /// A block of at least `needed` bytes and less than kStep times as many, unless it is a smallest
  /// one: so that few touched pages go unused.
  Block take(std::size_t needed);
  /// Keeps the block if it has a size that take() uses, it is not shared, and there is room.
  void give_back(Block block) noexcept;

  std::size_t kept_bytes() const noexcept { return kept_bytes_; }

 private:
  static constexpr std::size_t kStep = 2;
  static constexpr std::size_t kLargest = kSmallest * 64;  // 1088 KiB
  static constexpr std::size_t kMaxBlocks = kMaxBytes / kSmallest;

  static std::size_t size_for(std::size_t needed) noexcept;

  std::vector<Block> kept_;
  std::size_t kept_bytes_ = 0;
};

}  // namespace sluice::protocol
