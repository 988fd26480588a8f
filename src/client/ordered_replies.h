// Keeps replies without an id in the order of their requests. One that is ready before its turn
// waits here as text; in the common case nothing waits and nothing is stored.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "client/buffers.h"

namespace sluice::client {

/// Waiting replies lie in one text, in the order in which they became ready; a ring with a piece
/// for each reply due says where. Both are reused, and given back when nothing waits.
class OrderedReplies {
  struct Piece {
    std::size_t begin = 0;
    std::size_t size = 0;  // 0: not kept
  };

 public:
  /// The memory of a place in the order: the ring has up to twice as many pieces as it needs.
  static constexpr std::size_t kBytesPerPlace = 2 * sizeof(Piece);

  explicit OrderedReplies(Buffers& buffers) noexcept : buffers_(buffers) {}

  /// The slot of one more reply: 1, 2, 3 and so on.
  std::uint64_t reserve() noexcept { return ++last_; }

  /// All replies before this one are written.
  bool is_next(std::uint64_t slot) const noexcept { return slot == next_; }
  /// Stores a reply whose turn has not come. A slot that was used before is ignored.
  void keep(std::uint64_t slot, std::string_view text);
  /// After the next reply was written: appends the stored replies that follow it to `out`.
  void advance(std::string& out);
  void drop_kept() noexcept;

  /// Memory of stored replies in bytes, including written ones that are not dropped yet.
  std::size_t kept_bytes() const noexcept { return text_.size() + kept_ * kBytesPerPlace; }

 private:
  Piece& piece(std::uint64_t slot) noexcept { return ring_[slot & (ring_.size() - 1)]; }
  void grow(std::uint64_t slot);
  void compact();
  void give_back() noexcept;

  Buffers& buffers_;
  std::uint64_t next_ = 1;
  std::uint64_t last_ = 0;
  std::vector<Piece> ring_;  // a power of two; holds next_ to next_ + its size - 1
  std::string text_;
  std::size_t kept_ = 0;        // stored replies
  std::size_t live_bytes_ = 0;  // of text_, those not written yet
};

}  // namespace sluice::client
