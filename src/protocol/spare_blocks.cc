#include "protocol/spare_blocks.h"

#include <algorithm>
#include <utility>

namespace sluice::protocol {

/// Few sizes, so that a block fits the next reader and a growing request rarely moves.
std::size_t SpareBlocks::size_for(std::size_t needed) noexcept {
  if (needed > kLargest) return needed + needed / 2;
  std::size_t size = kSmallest;
  while (size < needed)
    size *= kStep;
  return size;
}

Block SpareBlocks::take(std::size_t needed) {
  const std::size_t size = size_for(needed);
  const auto fits = [size](const Block& block) { return block.capacity() == size; };
  const auto found = std::find_if(kept_.rbegin(), kept_.rend(), fits);
  if (found == kept_.rend()) return Block::make(size);
  std::swap(*found, kept_.back());
  Block block = std::move(kept_.back());
  kept_.pop_back();
  kept_bytes_ -= size;
  return block;
}

void SpareBlocks::give_back(Block block) noexcept {
  const std::size_t size = block.capacity();
  const bool is_of_a_size = size >= kSmallest && size <= kLargest && size == size_for(size);
  if (!is_of_a_size || block.is_shared() || kept_bytes_ + size > kMaxBytes) return;
  if (kept_.capacity() == 0) kept_.reserve(kMaxBlocks);
  kept_bytes_ += size;
  kept_.push_back(std::move(block));
}

}  // namespace sluice::protocol
