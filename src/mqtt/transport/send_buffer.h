// What one connection has to send and its socket has not taken yet.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

namespace sluice::mqtt {

/// Bytes go in behind and out in front. Grows with what is put in; what that may be is bounded by
/// whoever does it. Not thread-safe.
class SendBuffer {
 public:
  /// Room for so many bytes more, which the caller writes there at once.
  char* append(std::size_t size);
  void append(std::string_view bytes);

  /// Valid until the next append() or take().
  std::string_view unsent() const noexcept { return {block_.get() + begin_, end_ - begin_}; }
  bool is_empty() const noexcept { return begin_ == end_; }
  /// The socket took so many of them.
  void take(std::size_t size) noexcept;

  /// Counts since the beginning: all that was put in, and what of it was taken.
  std::uint64_t written() const noexcept { return taken_ + (end_ - begin_); }
  std::uint64_t taken() const noexcept { return taken_; }

  /// Gives the memory back if nothing was put in since the last call.
  void trim() noexcept;

 private:
  void make_room(std::size_t size);

  std::unique_ptr<char[]> block_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;  // of the unsent bytes in the block
  std::size_t end_ = 0;
  std::uint64_t taken_ = 0;
  bool was_used_ = false;  // since the last trim()
};

}  // namespace sluice::mqtt
