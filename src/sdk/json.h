// The JSON that the client needs: quoting for requests, and a strict reader for replies and JSON
// payloads. Never recurses, so hostile depth costs memory only. base/utf8.h and base/json_text.h
// are not used: programs link this library alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::sdk {

bool is_utf8(std::string_view text) noexcept;
/// Appends text as a JSON string. The text must be UTF-8.
void append_quoted(std::string& out, std::string_view text);
/// RFC 4648 section 4, padded.
std::string to_base64(std::string_view bytes);
/// Exactly one JSON value (RFC 8259), white space around it allowed.
bool is_json_value(std::string_view text);

/// A cursor over JSON text. Every function skips white space first. After one has returned false
/// the cursor stands anywhere: give up.
class JsonCursor {
 public:
  explicit JsonCursor(std::string_view text) : text_(text) {}

  /// The next character, NUL at the end.
  char peek() noexcept;
  /// Steps over c if it comes next.
  bool take(char c) noexcept;
  bool read_string(std::string& out);
  /// A number without fraction and exponent that fits 64 bits.
  bool read_integer(std::int64_t& out);
  /// Any value, checked to its end.
  bool skip_value();
  bool is_at_end() noexcept;

 private:
  void skip_space() noexcept;
  bool skip_string();
  bool skip_number() noexcept;
  bool skip_digits() noexcept;
  bool skip_word(std::string_view word) noexcept;
  bool skip_scalar();
  bool read_escape(std::string& out);
  bool read_hex4(unsigned& out) noexcept;

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace sluice::sdk
