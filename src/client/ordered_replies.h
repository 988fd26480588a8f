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

/// What waits lies in one text, in the order in which it became ready; a ring of as many places as
/// there are replies due tells where. Both are used again, and given back when nothing waits.
class OrderedReplies {
 public:
  explicit OrderedReplies(Buffers& buffers) noexcept : buffers_(buffers) {}

  /// The place of one more reply: 1, 2, 3 and so on.
  std::uint64_t reserve() noexcept { return ++last_; }

  /// All replies before this one are out.
  bool is_next(std::uint64_t slot) const noexcept { return slot == next_; }
  /// A reply whose turn has not come. A place that was used before is ignored.
  void keep(std::uint64_t slot, std::string_view text);
  /// The next reply was written: those kept right behind it are appended to `out`.
  void advance(std::string& out);
  void drop_kept() noexcept;

  /// Memory of what is kept, in bytes; with texts that are out but not dropped yet.
  std::size_t kept_bytes() const noexcept { return text_.size() + kept_ * sizeof(Piece); }

 private:
  struct Piece {
    std::size_t begin = 0;
    std::size_t size = 0;  // 0: not kept
  };
  Piece& piece(std::uint64_t slot) noexcept { return ring_[slot & (ring_.size() - 1)]; }
  void grow(std::uint64_t slot);
  void compact();
  void give_back() noexcept;

  Buffers& buffers_;
  std::uint64_t next_ = 1;
  std::uint64_t last_ = 0;
  std::vector<Piece> ring_;  // a power of two; holds next_ to next_ + its size - 1
  std::string text_;
  std::size_t kept_ = 0;        // how many
  std::size_t live_bytes_ = 0;  // of text_, those that are not out yet
};

}  // namespace sluice::client
