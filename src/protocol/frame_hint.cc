#include "protocol/frame_hint.h"

namespace sluice::protocol {
namespace {

constexpr std::size_t kLengthBytes = 4;

constexpr std::string_view kNulFirst =
    "; a first byte 0 announces 4-byte lengths: a JSON stream begins with its object";
constexpr std::string_view kTwoBytes = "; is it a length of 2 bytes? It has 4";
constexpr std::string_view kObject =
    "; this is an object: was the length before it too large or left out?";
constexpr std::string_view kLittleEndian =
    "; is the length little-endian? It is big-endian (network byte order)";
constexpr std::string_view kCountsItself =
    "; does the length count its own 4 bytes? It counts what follows it";

/// One byte of a length, 0 being the first on the wire.
constexpr char byte_of(std::uint32_t length, unsigned at) noexcept {
  return static_cast<char>((length >> (24 - 8 * at)) & 0xFF);
}

constexpr std::uint32_t swapped(std::uint32_t length) noexcept {
  return length >> 24 | (length >> 8 & 0xFF00) | (length << 8 & 0xFF0000) | length << 24;
}

/// Behind the first byte, which is 0, an object begins instead of the rest of the length.
std::string_view hint_of_brace(std::uint32_t announced) noexcept {
  if (byte_of(announced, 1) == '{') return kNulFirst;
  return byte_of(announced, 2) == '{' ? kTwoBytes : std::string_view();
}

/// The last bytes may be the next length.
bool ends_in_length(std::string_view body) noexcept {
  if (body.size() <= kLengthBytes) return false;
  const std::string_view last = body.substr(body.size() - kLengthBytes);
  return body[body.size() - kLengthBytes - 1] == '}' && last[0] == '\0' &&
         last.find_first_not_of('\0') != std::string_view::npos;
}

}  // namespace

std::string_view hint_of_length(std::uint32_t announced, std::size_t limit) noexcept {
  if (byte_of(announced, 0) == '{') return kObject;
  if (swapped(announced) <= limit) return kLittleEndian;
  return byte_of(announced, 0) == '\0' ? hint_of_brace(announced) : std::string_view();
}

std::string_view hint_of_body(std::uint32_t announced, std::string_view body) noexcept {
  if (body.size() == announced) return ends_in_length(body) ? kCountsItself : std::string_view();
  if (!body.starts_with('{')) return hint_of_brace(announced);
  if (!body.ends_with('}')) return {};
  if (body.size() + kLengthBytes == announced) return kCountsItself;
  return body.size() == swapped(announced) ? kLittleEndian : std::string_view();
}

std::string_view hint_of_object(std::string_view begun) noexcept {
  const bool is_length = begun.size() > kLengthBytes && begun[kLengthBytes] == '{' &&
                         begun.substr(2, 2) == std::string_view("\0\0", 2);
  return is_length ? kLittleEndian : std::string_view();
}

}  // namespace sluice::protocol
