// The bytes of one connection that its socket has not taken yet.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "protocol/block.h"

namespace sluice::mqtt {

/// First in, first out. Small parts are copied, large payloads are referenced where they lie. It
/// has no limit of its own: inflight_bytes bounds what is put in. Not thread-safe.
class SendBuffer {
 public:
  /// Adds `size` bytes, which the caller writes at once to where the result points.
  char* append(std::size_t size);
  void append(std::string_view bytes);
  /// The same without a copy: `bytes` lie in `block`, which is held until the last byte is taken.
  void append(std::string_view bytes, const protocol::Block& block);

  /// Fills `to` with the next pieces; returns how many. Valid until the next append() or take().
  std::size_t next(std::span<std::string_view> to) const noexcept;
  std::size_t unsent() const noexcept { return end_ - begin_ + lent_bytes_; }
  bool is_empty() const noexcept { return unsent() == 0; }
  /// The socket took the first `size` unsent bytes.
  void take(std::size_t size) noexcept;

  /// Byte counts since the connection began.
  std::uint64_t written() const noexcept { return taken_ + unsent(); }
  std::uint64_t taken() const noexcept { return taken_; }

  /// Frees the memory if nothing was appended since the last call.
  void trim() noexcept;

 private:
  struct Lent {
    std::uint64_t at;  // position of its first unsent byte, as taken() counts
    std::string_view bytes;
    protocol::Block block;
  };

  void make_room(std::size_t size);
  void take_own(std::size_t size) noexcept;

  std::unique_ptr<char[]> block_;  // the bytes that were copied
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;  // the unsent bytes in the block
  std::size_t end_ = 0;
  std::vector<Lent> lent_;  // referenced payloads between them, in order
  std::size_t lent_bytes_ = 0;
  std::uint64_t taken_ = 0;
  bool was_used_ = false;  // since the last trim()
};

}  // namespace sluice::mqtt
