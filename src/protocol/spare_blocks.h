// Memory for large requests that come in pieces, kept for the next ones.
#pragma once

#include <cstddef>
#include <vector>

#include "protocol/block.h"

namespace sluice::protocol {

/// Blocks that are done with, shared by all FrameReaders of a server: one of this size anew costs
/// a page fault for each of its pages. Bounded, whatever went through. Not thread-safe.
class SpareBlocks {
 public:
  /// All that is kept together.
  static constexpr std::size_t kMostBytes = 4 << 20;
  /// No block here is smaller. All are a power of two and a bit, so that a payload which is one
  /// fits with the request around it.
  static constexpr std::size_t kSmallest = 17 << 10;

  /// At least `needed` bytes, and less than kStep times as many unless it is a smallest one: so
  /// what was touched of it before is not much more than what it is wanted for.
  Block take(std::size_t needed);
  /// Keeps it if it is of a size that take() gives, no one else holds it, and there is room.
  void give_back(Block block) noexcept;

  std::size_t kept_bytes() const noexcept { return kept_bytes_; }

 private:
  static constexpr std::size_t kStep = 4;
  static constexpr std::size_t kLargest = kSmallest * kStep * kStep * kStep;  // 1088 KiB
  static constexpr std::size_t kMostBlocks = kMostBytes / kSmallest;

  static std::size_t size_for(std::size_t needed) noexcept;

  std::vector<Block> kept_;
  std::size_t kept_bytes_ = 0;
};

}  // namespace sluice::protocol
