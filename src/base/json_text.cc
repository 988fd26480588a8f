#include "base/json_text.h"

#include <fmt/format.h>

#include <cstddef>
#include <iterator>

#include "base/utf8.h"

namespace sluice {
namespace {

/// ASCII that needs no escape.
bool is_plain(unsigned char byte) noexcept {
  return byte >= 0x20 && byte < 0x7F && byte != '"' && byte != '\\';
}

}  // namespace

void append_json_text(std::string_view text, std::string& out) {
  std::size_t at = 0;
  while (at < text.size()) {
    std::size_t plain = at;
    while (plain < text.size() && is_plain(static_cast<unsigned char>(text[plain])))
      ++plain;
    out += text.substr(at, plain - at);
    at = plain;
    if (at == text.size()) return;
    const Utf8Char next = first_utf8_char(text.substr(at));
    if (next.size == 0) {
      out += "\xEF\xBF\xBD";
    } else if (next.code == '"' || next.code == '\\') {
      out += '\\';
      out += text[at];
    } else if (is_control(next.code)) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(next.code));
    } else {
      out += text.substr(at, next.size);
    }
    at += next.size == 0 ? 1 : next.size;
  }
}

void append_json_string(std::string_view text, std::string& out) {
  out += '"';
  append_json_text(text, out);
  out += '"';
}

}  // namespace sluice
