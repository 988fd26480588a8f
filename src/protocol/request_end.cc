#include "protocol/request_end.h"

#include <algorithm>
#include <cassert>

#include "protocol/white_space.h"

namespace sluice::protocol {

RequestEnd::RequestEnd(std::string_view text) noexcept {
  assert(text.size() <= kMaxBytes);
  text.remove_prefix(leading_space(text));
  while (!text.empty() && is_space(text.back()))
    text.remove_suffix(1);
  size_ = std::min(text.size(), kMaxBytes);
  std::copy_n(text.data(), size_, text_.data());
}

/// Tries the longest match first. A `matched` of the whole text and more counts as none: it may
/// come from a longer text that this one replaced.
std::size_t RequestEnd::longest_match(std::size_t matched, char next) const noexcept {
  const std::string_view wanted = text();
  if (matched >= size_) matched = 0;
  const std::string_view seen = wanted.substr(0, matched);
  for (std::size_t size = matched + 1; size > 0; --size) {
    const bool fits = wanted[size - 1] == next && seen.ends_with(wanted.substr(0, size - 1));
    if (fits) return size;
  }
  return 0;
}

}  // namespace sluice::protocol
