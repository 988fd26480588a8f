#include "protocol/json_text.h"

#include <fmt/format.h>

#include <cstddef>
#include <iterator>

#include "protocol/utf8.h"

namespace sluice::protocol {
namespace {

/// Whether a byte stands in a JSON string as it is, without a closer look.
bool is_plain(unsigned char byte) {
  return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
}

}  // namespace

void append_json_string(std::string_view text, std::string& out) {
  out += '"';
  std::size_t at = 0;
  while (at < text.size()) {
    std::size_t plain = at;
    while (plain < text.size() && is_plain(static_cast<unsigned char>(text[plain])))
      ++plain;
    out += text.substr(at, plain - at);
    at = plain;
    if (at == text.size()) break;
    const Utf8Char next = first_utf8_char(text.substr(at));
    if (next.size == 0) {
      out += "\xEF\xBF\xBD";
    } else if (next.code == '"' || next.code == '\\') {
      out += '\\';
      out += text[at];
    } else if (next.code < 0x20) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(next.code));
    } else {
      out += text.substr(at, next.size);
    }
    at += next.size == 0 ? 1 : next.size;
  }
  out += '"';
}

}  // namespace sluice::protocol
