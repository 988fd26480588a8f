#include "client/ordered_replies.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace sluice::client {
namespace {

/// A text shorter than this is not worth compacting.
constexpr std::size_t kSmallText = 2048;
constexpr std::size_t kSmallRing = 64;

}  // namespace

void OrderedReplies::keep(std::uint64_t slot, std::string_view text) {
  if (slot < next_ || slot > last_ || text.empty()) return;
  if (slot - next_ >= ring_.size()) grow(slot);
  if (piece(slot).size != 0) return;
  if (text_.empty()) text_ = buffers_.take();
  piece(slot) = {text_.size(), text.size()};
  text_ += text;
  ++kept_;
  live_bytes_ += text.size();
}

void OrderedReplies::advance(std::string& out) {
  ++next_;
  while (kept_ > 0 && piece(next_).size != 0) {
    const Piece taken = std::exchange(piece(next_), {});
    out.append(text_, taken.begin, taken.size);
    --kept_;
    live_bytes_ -= taken.size;
    ++next_;
  }
  if (kept_ == 0) {
    if (!text_.empty()) give_back();
  } else if (text_.size() > kSmallText && text_.size() > 2 * live_bytes_) {
    compact();
  }
}

void OrderedReplies::drop_kept() noexcept {
  kept_ = 0;
  live_bytes_ = 0;
  std::fill(ring_.begin(), ring_.end(), Piece{});
  give_back();
}

void OrderedReplies::give_back() noexcept {
  buffers_.give_back(std::move(text_));
  if (ring_.size() > kSmallRing) std::vector<Piece>().swap(ring_);
}

void OrderedReplies::grow(std::uint64_t slot) {
  const auto needed = static_cast<std::size_t>(slot - next_ + 1);
  std::vector<Piece> former(std::max<std::size_t>(std::bit_ceil(needed), 16));
  former.swap(ring_);
  for (std::uint64_t each = next_; each < next_ + former.size(); ++each)
    piece(each) = former[each & (former.size() - 1)];
}

/// Drops the texts that are written already.
void OrderedReplies::compact() {
  std::string former = std::exchange(text_, {});
  text_.reserve(live_bytes_);
  for (std::uint64_t slot = next_; slot < next_ + ring_.size(); ++slot) {
    Piece& each = piece(slot);
    if (each.size == 0) continue;
    const std::size_t begin = std::exchange(each.begin, text_.size());
    text_.append(former, begin, each.size);
  }
}

}  // namespace sluice::client
