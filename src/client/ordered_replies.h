// Keeps replies without an id in the order of their requests. One that is ready before its turn
// waits here as text; in the common case nothing waits and nothing is stored.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

namespace sluice::client {

class OrderedReplies {
 public:
  /// The place of one more reply: 1, 2, 3 and so on.
  std::uint64_t reserve() noexcept { return ++last_; }

  /// All replies before this one are out.
  bool is_next(std::uint64_t slot) const noexcept { return slot == next_; }
  /// A reply whose turn has not come. A place that was used before is ignored.
  void keep(std::uint64_t slot, std::string text);
  /// The next reply was written: those kept right behind it are appended to `out`.
  void advance(std::string& out);
  void drop_kept() noexcept;

  /// Memory of what is kept, in bytes.
  std::size_t kept_bytes() const noexcept { return kept_bytes_; }

 private:
  std::uint64_t next_ = 1;
  std::uint64_t last_ = 0;
  std::map<std::uint64_t, std::string> kept_;
  std::size_t kept_bytes_ = 0;
};

}  // namespace sluice::client
