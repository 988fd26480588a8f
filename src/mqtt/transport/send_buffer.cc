#include "mqtt/transport/send_buffer.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

namespace sluice::mqtt {
namespace {

constexpr std::size_t kLeast = 4096;
constexpr std::size_t kKept = 65536;  // a larger block is freed as soon as it is empty

}  // namespace

char* SendBuffer::append(std::size_t size) {
  was_used_ = true;
  if (size > capacity_ - end_) make_room(size);
  char* to = block_.get() + end_;
  end_ += size;
  return to;
}

void SendBuffer::append(std::string_view bytes) {
  std::memcpy(append(bytes.size()), bytes.data(), bytes.size());
}

void SendBuffer::append(std::string_view bytes, const protocol::Block& block) {
  was_used_ = true;
  lent_.push_back({written(), bytes, block.share()});
  lent_bytes_ += bytes.size();
}

std::size_t SendBuffer::next(std::span<std::string_view> to) const noexcept {
  std::size_t count = 0;
  const char* own = block_.get() + begin_;
  std::uint64_t at = taken_;
  const auto put_own = [&](std::size_t size) {
    if (size == 0 || count == to.size()) return;
    to[count++] = {own, size};
    own += size;
  };
  for (const Lent& lent : lent_) {
    put_own(static_cast<std::size_t>(lent.at - at));
    if (count == to.size()) return count;
    to[count++] = lent.bytes;
    at = lent.at + lent.bytes.size();
  }
  put_own(static_cast<std::size_t>(block_.get() + end_ - own));
  return count;
}

void SendBuffer::take(std::size_t size) noexcept {
  assert(size <= unsent());
  auto next = lent_.begin();
  while (next != lent_.end() && size > 0) {
    const auto own = std::min(size, static_cast<std::size_t>(next->at - taken_));
    take_own(own);
    size -= own;
    const std::size_t lent = std::min(size, next->bytes.size());
    next->bytes.remove_prefix(lent);
    next->at += lent;
    lent_bytes_ -= lent;
    taken_ += lent;
    size -= lent;
    if (next->bytes.empty()) ++next;
  }
  lent_.erase(lent_.begin(), next);
  take_own(size);
}

void SendBuffer::take_own(std::size_t size) noexcept {
  begin_ += size;
  taken_ += size;
  if (begin_ < end_) return;
  begin_ = end_ = 0;
  if (capacity_ <= kKept) return;
  block_.reset();
  capacity_ = 0;
}

/// Moves the unsent bytes to the front if that frees half of the block, else allocates a larger
/// one: so each byte is moved a bounded number of times.
void SendBuffer::make_room(std::size_t size) {
  const std::size_t unsent = end_ - begin_;
  const std::size_t needed = unsent + size;
  if (needed <= capacity_ / 2) {
    std::memmove(block_.get(), block_.get() + begin_, unsent);
  } else {
    const std::size_t larger = std::max({needed, capacity_ * 2, kLeast});
    auto block = std::make_unique_for_overwrite<char[]>(larger);
    if (unsent > 0) std::memcpy(block.get(), block_.get() + begin_, unsent);
    block_ = std::move(block);
    capacity_ = larger;
  }
  begin_ = 0;
  end_ = unsent;
}

void SendBuffer::trim() noexcept {
  if (std::exchange(was_used_, false) || !is_empty()) return;
  block_.reset();
  capacity_ = 0;
  begin_ = end_ = 0;
  std::vector<Lent>().swap(lent_);
}

}  // namespace sluice::mqtt
