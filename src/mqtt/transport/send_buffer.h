// What one connection has to send and its socket has not taken yet.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "protocol/block.h"

namespace sluice::mqtt {

/// Bytes go in behind and out in front; they are copied or, where there are many, held where they
/// are. Grows with what is put in, which the caller bounds (inflight_bytes). Not thread-safe.
class SendBuffer {
 public:
  /// Room for so many bytes more, which the caller writes there at once.
  char* append(std::size_t size);
  void append(std::string_view bytes);
  /// The same without a copy: `bytes` lie in `block`, which is held until the last one is taken.
  void append(std::string_view bytes, const protocol::Block& block);

  /// Fills `to` with what comes next, piece by piece; returns how many there are. Valid until the
  /// next append() or take().
  std::size_t next(std::span<std::string_view> to) const noexcept;
  std::size_t unsent() const noexcept { return end_ - begin_ + lent_bytes_; }
  bool is_empty() const noexcept { return unsent() == 0; }
  /// The socket took so many of them.
  void take(std::size_t size) noexcept;

  /// Counts since the beginning: all that was put in, and what of it was taken.
  std::uint64_t written() const noexcept { return taken_ + unsent(); }
  std::uint64_t taken() const noexcept { return taken_; }

  /// Gives the memory back if nothing was put in since the last call.
  void trim() noexcept;

 private:
  struct Lent {
    std::uint64_t at;  // of its first unsent byte, as taken() counts
    std::string_view bytes;
    protocol::Block block;
  };

  void make_room(std::size_t size);
  void take_own(std::size_t size) noexcept;

  std::unique_ptr<char[]> block_;  // the bytes that were copied
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;  // of the unsent bytes in the block
  std::size_t end_ = 0;
  std::vector<Lent> lent_;  // between them, in order
  std::size_t lent_bytes_ = 0;
  std::uint64_t taken_ = 0;
  bool was_used_ = false;  // since the last trim()
};

}  // namespace sluice::mqtt
