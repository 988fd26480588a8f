// Strict base64: every text is either the one encoding of its bytes or refused.
#include "protocol/base64.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace sluice::protocol {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t kNone = 0xFF;

constexpr std::array<std::uint8_t, 256> make_values() {
  std::array<std::uint8_t, 256> values{};
  values.fill(kNone);
  for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
    values[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::uint8_t>(i);
  }
  return values;
}

constexpr auto kValues = make_values();

std::uint32_t value_of(char c) {
  return kValues[static_cast<unsigned char>(c)];
}
char low_byte(std::uint32_t bits) {
  return static_cast<char>(bits & 0xFF);
}

/// The last four characters, which hold `padding` (1 or 2) equals signs.
bool decode_padded(const char* in, std::size_t padding, char* out) {
  const std::uint32_t a = value_of(in[0]);
  const std::uint32_t b = value_of(in[1]);
  const std::uint32_t c = padding == 2 ? 0 : value_of(in[2]);
  if ((a | b | c) > 63) return false;
  const std::uint32_t bits = (a << 18) | (b << 12) | (c << 6);
  const std::uint32_t unused = padding == 2 ? 0xFFFF : 0xFF;
  if ((bits & unused) != 0) return false;
  out[0] = low_byte(bits >> 16);
  if (padding == 1) out[1] = low_byte(bits >> 8);
  return true;
}

}  // namespace

bool decode_base64(std::string_view text, std::string& out) {
  if (text.size() % 4 != 0) return false;
  std::size_t padding = 0;
  if (text.ends_with('=')) padding = text.ends_with("==") ? 2 : 1;
  const std::size_t plain = padding == 0 ? text.size() : text.size() - 4;
  out.resize(text.size() / 4 * 3 - padding);
  char* to = out.data();
  for (std::size_t at = 0; at < plain; at += 4, to += 3) {
    const std::uint32_t a = value_of(text[at]);
    const std::uint32_t b = value_of(text[at + 1]);
    const std::uint32_t c = value_of(text[at + 2]);
    const std::uint32_t d = value_of(text[at + 3]);
    if ((a | b | c | d) > 63) return false;
    const std::uint32_t bits = (a << 18) | (b << 12) | (c << 6) | d;
    to[0] = low_byte(bits >> 16);
    to[1] = low_byte(bits >> 8);
    to[2] = low_byte(bits);
  }
  return padding == 0 || decode_padded(text.data() + plain, padding, to);
}

}  // namespace sluice::protocol
