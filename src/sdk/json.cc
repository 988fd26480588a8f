// Quoting, base64 and the strict JSON cursor of the client library.
#include "sdk/json.h"

#include <charconv>
#include <system_error>

namespace sluice::sdk {

namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

unsigned byte_at(std::string_view text, std::size_t at) {
  return static_cast<unsigned char>(text[at]);
}

/// Length of the UTF-8 sequence at `at` (RFC 3629), 0 where it is none.
std::size_t utf8_length(std::string_view text, std::size_t at) {
  const unsigned lead = byte_at(text, at);
  if (lead < 0x80) return 1;
  const std::size_t length = lead < 0xC2   ? 0
                             : lead < 0xE0 ? 2
                             : lead < 0xF0 ? 3
                             : lead < 0xF5 ? 4
                                           : 0;
  if (length == 0 || text.size() - at < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte_at(text, at + i) & 0xC0U) != 0x80U) return 0;
  }
  const unsigned second = byte_at(text, at + 1);
  if (lead == 0xE0 && second < 0xA0) return 0;  // overlong
  if (lead == 0xED && second > 0x9F) return 0;  // surrogates
  if (lead == 0xF0 && second < 0x90) return 0;
  if (lead == 0xF4 && second > 0x8F) return 0;  // above U+10FFFF
  return length;
}

void append_utf8(std::string& out, unsigned code) {
  const auto put = [&out](unsigned byte) { out.push_back(static_cast<char>(byte)); };
  if (code < 0x80) return put(code);
  if (code < 0x800) {
    put(0xC0U | (code >> 6U));
    return put(0x80U | (code & 0x3FU));
  }
  if (code < 0x10000) {
    put(0xE0U | (code >> 12U));
  } else {
    put(0xF0U | (code >> 18U));
    put(0x80U | ((code >> 12U) & 0x3FU));
  }
  put(0x80U | ((code >> 6U) & 0x3FU));
  put(0x80U | (code & 0x3FU));
}

}  // namespace

bool is_utf8(std::string_view text) noexcept {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = utf8_length(text, at);
    if (length == 0) return false;
    at += length;
  }
  return true;
}

void append_quoted(std::string& out, std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  out.push_back('"');
  std::size_t copied = 0;  // runs that need no escape are copied whole
  for (std::size_t at = 0; at < text.size(); ++at) {
    const unsigned byte = byte_at(text, at);
    const bool is_control = byte < 0x20;
    if (!is_control && byte != '"' && byte != '\\') continue;
    out += text.substr(copied, at - copied);
    copied = at + 1;
    out.push_back('\\');
    if (is_control) {
      out += "u00";
      out.push_back(kHex[byte >> 4U]);
      out.push_back(kHex[byte & 0xFU]);
    } else {
      out.push_back(text[at]);
    }
  }
  out += text.substr(copied);
  out.push_back('"');
}

std::string to_base64(std::string_view bytes) {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::size_t left = bytes.size() - at;
    unsigned group = byte_at(bytes, at) << 16U;
    if (left > 1) group |= byte_at(bytes, at + 1) << 8U;
    if (left > 2) group |= byte_at(bytes, at + 2);
    out.push_back(kAlphabet[group >> 18U]);
    out.push_back(kAlphabet[(group >> 12U) & 63U]);
    out.push_back(left > 1 ? kAlphabet[(group >> 6U) & 63U] : '=');
    out.push_back(left > 2 ? kAlphabet[group & 63U] : '=');
  }
  return out;
}

bool is_json_value(std::string_view text) {
  JsonCursor reader(text);
  return reader.skip_value() && reader.is_at_end();
}

void JsonCursor::skip_space() noexcept {
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c != ' ' && c != '\t' && c != '\n' && c != '\r') return;
    ++at_;
  }
}

char JsonCursor::peek() noexcept {
  skip_space();
  return at_ < text_.size() ? text_[at_] : '\0';
}

bool JsonCursor::take(char c) noexcept {
  skip_space();
  if (at_ == text_.size() || text_[at_] != c) return false;
  ++at_;
  return true;
}

bool JsonCursor::is_at_end() noexcept {
  skip_space();
  return at_ == text_.size();
}

bool JsonCursor::read_hex4(unsigned& out) noexcept {
  if (text_.size() - at_ < 4) return false;
  const char* first = text_.data() + at_;
  for (std::size_t i = 0; i < 4; ++i) {
    if (first[i] == '-') return false;  // from_chars accepts none here, but be explicit
  }
  const auto [end, fault] = std::from_chars(first, first + 4, out, 16);
  at_ += 4;
  return fault == std::errc{} && end == first + 4;
}

bool JsonCursor::read_escape(std::string& out) {
  if (at_ == text_.size()) return false;
  constexpr std::string_view kNames = "\"\\/bfnrt";
  constexpr std::string_view kMeant = "\"\\/\b\f\n\r\t";
  const char name = text_[at_++];
  if (name != 'u') {
    const std::size_t which = kNames.find(name);
    if (which == std::string_view::npos) return false;
    out.push_back(kMeant[which]);
    return true;
  }
  unsigned code = 0;
  if (!read_hex4(code)) return false;
  if (code >= 0xDC00 && code < 0xE000) return false;
  if (code >= 0xD800 && code < 0xDC00) {
    unsigned low = 0;
    if (text_.substr(at_, 2) != "\\u") return false;
    at_ += 2;
    if (!read_hex4(low) || low < 0xDC00 || low > 0xDFFF) return false;
    code = 0x10000 + ((code - 0xD800) << 10U) + (low - 0xDC00);
  }
  append_utf8(out, code);
  return true;
}

bool JsonCursor::read_string(std::string& out) {
  out.clear();
  if (!take('"')) return false;
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c == '"') {
      ++at_;
      return true;
    }
    if (static_cast<unsigned char>(c) < 0x20) return false;
    if (c == '\\') {
      ++at_;
      if (!read_escape(out)) return false;
      continue;
    }
    const std::size_t length = utf8_length(text_, at_);
    if (length == 0) return false;
    out.append(text_, at_, length);
    at_ += length;
  }
  return false;
}

bool JsonCursor::skip_string() {
  std::string ignored;
  return read_string(ignored);
}

bool JsonCursor::skip_digits() noexcept {
  const std::size_t first = at_;
  while (at_ < text_.size() && is_digit(text_[at_]))
    ++at_;
  return at_ > first;
}

bool JsonCursor::skip_number() noexcept {
  const auto next_is = [this](char c) { return at_ < text_.size() && text_[at_] == c; };
  if (next_is('-')) ++at_;
  if (next_is('0')) {
    ++at_;
  } else if (!skip_digits()) {
    return false;
  }
  if (next_is('.')) {
    ++at_;
    if (!skip_digits()) return false;
  }
  if (next_is('e') || next_is('E')) {
    ++at_;
    if (next_is('+') || next_is('-')) ++at_;
    if (!skip_digits()) return false;
  }
  return true;
}

bool JsonCursor::read_integer(std::int64_t& out) {
  skip_space();
  const std::size_t first = at_;
  if (!skip_number()) return false;
  const std::string_view digits = text_.substr(first, at_ - first);
  const auto [end, fault] = std::from_chars(digits.data(), digits.data() + digits.size(), out);
  return fault == std::errc{} && end == digits.data() + digits.size();
}

bool JsonCursor::skip_word(std::string_view word) noexcept {
  if (text_.substr(at_, word.size()) != word) return false;
  at_ += word.size();
  return true;
}

bool JsonCursor::skip_scalar() {
  switch (peek()) {
    case '"':
      return skip_string();
    case 't':
      return skip_word("true");
    case 'f':
      return skip_word("false");
    case 'n':
      return skip_word("null");
    default:
      return skip_number();
  }
}

bool JsonCursor::skip_value() {
  std::string open;  // closing characters still expected, innermost last
  for (;;) {
    // Here a value begins.
    if (take('{')) {
      open.push_back('}');
      if (peek() != '}') {
        if (!skip_string() || !take(':')) return false;
        continue;
      }
    } else if (take('[')) {
      open.push_back(']');
      if (peek() != ']') continue;
    } else if (!skip_scalar()) {
      return false;
    }
    // Here a value, or an empty container, has ended.
    while (!open.empty() && take(open.back()))
      open.pop_back();
    if (open.empty()) return true;
    if (!take(',')) return false;
    if (open.back() == '}' && (!skip_string() || !take(':'))) return false;
  }
}

}  // namespace sluice::sdk
