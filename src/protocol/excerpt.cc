#include "protocol/excerpt.h"

#include <cstddef>

#include "base/utf8.h"

namespace sluice::protocol {
namespace {

constexpr std::size_t kMaxExcerptBytes = 40;

}  // namespace

std::string quoted_excerpt(std::string_view text) {
  std::string out = "\"";
  std::size_t used = 0;
  while (used < text.size()) {
    const Utf8Char next = first_utf8_char(text.substr(used));
    const std::size_t size = next.size == 0 ? 1 : next.size;
    if (used + size > kMaxExcerptBytes) break;
    if (next.size == 0 || is_control(next.code)) {
      out += '?';
    } else {
      out += text.substr(used, size);
    }
    used += size;
  }
  out += used < text.size() ? "...\"" : "\"";
  return out;
}

}  // namespace sluice::protocol
