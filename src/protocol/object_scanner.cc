// The inner loop: braces outside strings, quotes and escapes inside.
#include <array>
#include <cstdint>

#include "protocol/frame_scanner.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace sluice::protocol {
namespace {

// The bytes on which the scanner acts.
constexpr std::uint8_t kOutside = 1;  // ends a run outside strings
constexpr std::uint8_t kInside = 2;   // ends a run inside a string

constexpr std::array<std::uint8_t, 256> make_stops() {
  std::array<std::uint8_t, 256> stops{};
  stops['{'] = kOutside;
  stops['}'] = kOutside;
  stops['"'] = kOutside | kInside;
  stops['\\'] = kInside;
  stops['\n'] = kInside;
  return stops;
}

constexpr auto kStops = make_stops();

/// `byte` is none of `stops` and changes nothing.
bool is_plain(char byte, std::uint8_t stops) noexcept {
  return (kStops[static_cast<unsigned char>(byte)] & stops) == 0;
}

const char* skip(const char* at, const char* end, std::uint8_t stop) noexcept {
  while (at != end && is_plain(*at, stop))
    ++at;
  return at;
}

/// The first quote, backslash or newline from `at` on, or `end`.
const char* skip_string_bytes(const char* at, const char* end) noexcept {
#if defined(__SSE2__)
  const __m128i quote = _mm_set1_epi8('"');
  const __m128i backslash = _mm_set1_epi8('\\');
  const __m128i newline = _mm_set1_epi8('\n');
  for (; end - at >= 16; at += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const __m128i hits =
        _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash)),
                     _mm_cmpeq_epi8(bytes, newline));
    const int mask = _mm_movemask_epi8(hits);
    if (mask != 0) return at + __builtin_ctz(static_cast<unsigned>(mask));
  }
#endif
  return skip(at, end, kInside);
}

}  // namespace

ObjectScanner::Result ObjectScanner::scan(std::string_view piece, std::size_t& used) noexcept {
  const char* const begin = piece.data();
  const char* const end = begin + piece.size();
  const char* at = begin;
  Result result = Result::More;
  while (at != end && result == Result::More) {
    if (in_string_) {
      result = scan_string(at, end);
      continue;
    }
    at = skip(at, end, kOutside);
    if (at == end) break;
    const char stop = *at++;
    if (stop == '"') {
      in_string_ = true;
    } else if (stop == '{') {
      ++depth_;
    } else if (--depth_ == 0) {
      result = Result::End;
    }
  }
  used = static_cast<std::size_t>(at - begin);
  return result;
}

ObjectScanner::Result ObjectScanner::scan_string(const char*& at, const char* end) noexcept {
  if (escaped_) {
    escaped_ = false;
    return *at++ == '\n' ? Result::Newline : Result::More;
  }
  at = skip_string_bytes(at, end);
  if (at == end) return Result::More;
  const char stop = *at++;
  if (stop == '\n') return Result::Newline;
  if (stop == '\\') {
    escaped_ = true;
  } else {
    in_string_ = false;
  }
  return Result::More;
}

}  // namespace sluice::protocol
