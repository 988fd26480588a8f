// A block of bytes that is filled at its end and emptied from its front. It grows, is never filled
// with zeros, and is kept when it is empty, so that a steady load allocates nothing.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>

namespace sluice::bench {

class Buffer {
 public:
  std::string_view bytes() const { return {block_.get() + begin_, end_ - begin_}; }
  bool is_empty() const { return begin_ == end_; }

  /// Where `size` more bytes can be written; add() says how many of them were.
  char* room(std::size_t size) {
    if (capacity_ - end_ < size) make_room(size);
    return block_.get() + end_;
  }
  void add(std::size_t size) { end_ += size; }

  void append(std::string_view more) {
    if (more.empty()) return;
    std::memcpy(room(more.size()), more.data(), more.size());
    add(more.size());
  }

  void take(std::size_t size) {
    begin_ += size;
    if (begin_ == end_) clear();
  }
  void clear() { begin_ = end_ = 0; }

 private:
  void make_room(std::size_t size) {
    const std::size_t used = end_ - begin_;
    // Moved within the block only where that frees half of it, or each byte would be moved often.
    if (used + size <= capacity_ && begin_ >= used) {
      std::copy(block_.get() + begin_, block_.get() + end_, block_.get());
    } else {
      const std::size_t more = std::max(2 * capacity_, used + size);
      auto block = std::make_unique_for_overwrite<char[]>(more);
      std::copy(block_.get() + begin_, block_.get() + end_, block.get());
      block_ = std::move(block);
      capacity_ = more;
    }
    begin_ = 0;
    end_ = used;
  }

  std::unique_ptr<char[]> block_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace sluice::bench
