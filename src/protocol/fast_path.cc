// Only the syntax of flat requests. Members checks types and ranges and words the faults, as it
// does for JsonReader.
#include "protocol/fast_path.h"

#include <bit>
#include <cstddef>

#include "base/ascii.h"
#include "base/utf8.h"
#include "protocol/json_reader.h"
#include "protocol/white_space.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace sluice::protocol {
namespace {

/// Where a run of string bytes ends: at a quote, a backslash, a control character or `end`.
/// `beyond_ascii` is set if there is a byte above 0x7F in it.
const char* end_of_run(const char* at, const char* end, bool& beyond_ascii) noexcept {
#if defined(__SSE2__)
  const __m128i quote = _mm_set1_epi8('"');
  const __m128i backslash = _mm_set1_epi8('\\');
  const __m128i last_control = _mm_set1_epi8(0x1F);
  for (; end - at >= 16; at += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const __m128i is_control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, last_control), bytes);
    const __m128i is_mark =
        _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash));
    const auto stops = static_cast<unsigned>(_mm_movemask_epi8(_mm_or_si128(is_control, is_mark)));
    const auto high = static_cast<unsigned>(_mm_movemask_epi8(bytes));
    if (stops != 0) {
      beyond_ascii |= (high & (stops ^ (stops - 1))) != 0;  // up to the first stop, itself ASCII
      return at + std::countr_zero(stops);
    }
    beyond_ascii |= high != 0;
  }
#endif
  for (; at != end; ++at) {
    const auto byte = static_cast<unsigned char>(*at);
    if (byte == '"' || byte == '\\' || byte < 0x20) break;
    beyond_ascii |= byte > 0x7F;
  }
  return at;
}

/// A position in a text. Each function but pass_last() also passes the white space behind what it
/// reads. All are inline: out of line, a request with 100 bytes of message takes 12 % longer.
class Cursor {
 public:
  explicit Cursor(std::string_view text) noexcept
      : begin_(text.data()), at_(begin_), end_(begin_ + text.size()) {}

  bool pass(char wanted) noexcept {
    if (!pass_last(wanted)) return false;
    pass_space();
    return true;
  }

  bool pass_last(char wanted) noexcept {
    if (at_ == end_ || *at_ != wanted) return false;
    ++at_;
    return true;
  }

  std::size_t passed() const noexcept { return static_cast<std::size_t>(at_ - begin_); }

  bool read_string(std::string_view& bytes) noexcept {
    if (!pass_last('"')) return false;
    bool beyond_ascii = false;
    const char* const first = at_;
    at_ = end_of_run(first, end_, beyond_ascii);
    bytes = {first, static_cast<std::size_t>(at_ - first)};
    return pass('"') && (!beyond_ascii || is_utf8(bytes));
  }

  bool read_value(JsonValue& value) noexcept {
    if (at_ == end_) return false;
    value.begin = passed();
    switch (*at_) {
      case '"':
        value.kind = JsonKind::String;
        return read_string(value.text);
      case 't':
        return read_word("true", value);
      case 'f':
        return read_word("false", value);
      default:
        return read_integer(value);
    }
  }

 private:
  void pass_space() noexcept {
    while (at_ != end_ && is_space(*at_))
      ++at_;
  }

  bool read_word(std::string_view word, JsonValue& value) noexcept {
    if (!std::string_view(at_, static_cast<std::size_t>(end_ - at_)).starts_with(word))
      return false;
    value.kind = JsonKind::Bool;
    value.text = word;
    at_ += word.size();
    pass_space();
    return true;
  }

  /// Also accepts the 1 of 1.5 or 1e3; the caller then finds no comma or brace and gives up.
  bool read_integer(JsonValue& value) noexcept {
    const char* const first = at_;
    if (*at_ == '-') ++at_;
    const char* const digits = at_;
    while (at_ != end_ && is_digit(*at_))
      ++at_;
    if (at_ == digits || (*digits == '0' && at_ > digits + 1)) return false;
    value.kind = JsonKind::Number;
    value.text = {first, static_cast<std::size_t>(at_ - first)};
    pass_space();
    return true;
  }

  const char* begin_;
  const char* at_;
  const char* end_;
};

}  // namespace

std::size_t read_fast_path(std::string_view text, Members& members) {
  Cursor cursor(text);
  if (!cursor.pass('{')) return 0;
  members.on_start();
  do {
    std::string_view name;
    JsonValue value;
    if (!cursor.read_string(name) || !cursor.pass(':') || !cursor.read_value(value)) return 0;
    members.on_key(1, name);
    members.on_scalar(1, value);
  } while (cursor.pass(','));
  return cursor.pass_last('}') ? cursor.passed() : 0;
}

}  // namespace sluice::protocol
