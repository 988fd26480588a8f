// The two versions differ in their first byte already. Addresses are all that is kept: TLVs carry
// nothing that sluice uses.
#include "protocol/proxy_header.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <span>
#include <utility>

#include "base/ascii.h"
#include "base/ip_address.h"
#include "protocol/excerpt.h"

namespace sluice::protocol {
namespace {

constexpr std::string_view kSignature1 = "PROXY ";
constexpr std::string_view kSignature2("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::string_view kUnknown = "UNKNOWN";
constexpr std::string_view kLineForm =
    "\"PROXY TCP4\" or \"PROXY TCP6\" with two addresses and two ports, or \"PROXY UNKNOWN\"";

// Version 2: the signature, version and command, family and transport, the length of the rest.
constexpr std::size_t kFixedBytes = 16;
constexpr std::size_t kPortBytes = 2;
constexpr std::array<std::size_t, 4> kAddressBytes = {0, 12, 36, 216};  // of each family
constexpr unsigned kIpv4 = 1;
constexpr unsigned kIpv6 = 2;
constexpr unsigned kUnix = 3;
constexpr unsigned kProxy = 1;          // the command; 0 is LOCAL
constexpr unsigned kLastTransport = 2;  // 0 unspecified, 1 stream, 2 datagram

std::size_t address_bytes(unsigned family) noexcept {
  return family < kAddressBytes.size() ? kAddressBytes.at(family) : 0;
}

/// The text up to the next blank, which it removes with it; nothing if there is no blank.
std::optional<std::string_view> next_word(std::string_view& rest) noexcept {
  const std::size_t blank = rest.find(' ');
  if (blank == std::string_view::npos) return std::nullopt;
  const std::string_view word = rest.substr(0, blank);
  rest.remove_prefix(blank + 1);
  return word;
}

std::optional<IpAddress> address_of(std::string_view text, bool is_v6) {
  if ((text.find(':') != std::string_view::npos) != is_v6) return std::nullopt;
  return IpAddress::parse(text);
}

std::optional<std::uint16_t> port_of(std::string_view text) noexcept {
  const bool has_leading_zero = text.size() > 1 && text.front() == '0';
  return has_leading_zero ? std::nullopt : to_integer<std::uint16_t>(text);
}

/// What follows "PROXY ", without its CRLF: the source, empty for UNKNOWN; nothing if it is none.
std::optional<std::string> source_in_line(std::string_view rest) {
  if (rest == kUnknown || rest.starts_with("UNKNOWN ")) return "";
  const auto family = next_word(rest);
  if (family != "TCP4" && family != "TCP6") return std::nullopt;
  const bool is_v6 = family == "TCP6";
  const auto source = next_word(rest);
  const auto destination = next_word(rest);
  const auto source_port = next_word(rest);
  if (!source || !destination || !source_port) return std::nullopt;
  const auto address = address_of(*source, is_v6);
  const auto port = port_of(*source_port);
  if (!address || !port || !address_of(*destination, is_v6) || !port_of(rest)) return std::nullopt;
  return address->text_with_port(*port);
}

unsigned number_at(std::span<const char> bytes, std::size_t at) noexcept {
  return static_cast<unsigned char>(bytes[at]);
}

std::uint16_t u16_at(std::span<const char> bytes, std::size_t at) noexcept {
  return static_cast<std::uint16_t>(number_at(bytes, at) << 8 | number_at(bytes, at + 1));
}

}  // namespace

ProxyHeaderReader::Result ProxyHeaderReader::step(std::string_view piece,
                                                  std::size_t& used) noexcept {
  const std::size_t held_before = size_;
  used = 0;
  while (used < piece.size() && !is_absent_ && state_ != State::Found &&
         state_ != State::Malformed) {
    if (state_ == State::Skip) {
      const std::size_t skipped = std::min(skipped_, piece.size() - used);
      used += skipped;
      skipped_ -= skipped;
      if (skipped_ == 0) state_ = State::Found;
    } else {
      take(piece[used++]);
    }
  }
  if (is_absent_) {
    used = 0;
    size_ = std::min(held_before, size_);
    return Result::Absent;
  }
  if (state_ == State::Found) return Result::Found;
  return state_ == State::Malformed ? Result::Malformed : Result::NeedMore;
}

void ProxyHeaderReader::take(char byte) noexcept {
  held_.at(size_++) = byte;
  switch (state_) {
    case State::Signature:
      match_signature();
      break;
    case State::Line:
      if (byte == '\n' || size_ == kHeldBytes) read_line();
      break;
    case State::Fixed:
      if (size_ == kFixedBytes) read_fixed();
      break;
    case State::Addresses:
      if (size_ == kFixedBytes + addresses_) read_addresses();
      break;
    case State::Skip:
    case State::Found:
    case State::Malformed:
      break;
  }
}

void ProxyHeaderReader::match_signature() noexcept {
  if (held() == kSignature1) {
    version_ = 1;
    state_ = State::Line;
  } else if (held() == kSignature2) {
    version_ = 2;
    state_ = State::Fixed;
  } else {
    is_absent_ = !kSignature1.starts_with(held()) && !kSignature2.starts_with(held());
  }
}

void ProxyHeaderReader::read_line() {
  std::string_view line = held();
  if (!line.ends_with('\n')) {
    fail(fmt::format("expected at most {} bytes, found more", kHeldBytes));
    return;
  }
  if (!line.ends_with("\r\n")) {
    fail("expected CRLF at its end, found LF alone");
    return;
  }
  line.remove_suffix(2);
  auto source = source_in_line(line.substr(kSignature1.size()));
  if (!source) {
    fail(fmt::format("expected {}, found {}", kLineForm, quoted_excerpt(line)));
    return;
  }
  source_ = std::move(*source);
  state_ = State::Found;
}

void ProxyHeaderReader::read_fixed() {
  const unsigned version = number_at(held_, 12) >> 4;
  const unsigned command = number_at(held_, 12) & 0xFU;
  const unsigned family = number_at(held_, 13) >> 4;
  const unsigned transport = number_at(held_, 13) & 0xFU;
  const std::size_t length = u16_at(held_, 14);
  if (version != 2) return fail(fmt::format("expected version 2, found {}", version));
  if (command > kProxy) {
    return fail(fmt::format("expected command 0 (LOCAL) or 1 (PROXY), found {}", command));
  }
  // The sender of LOCAL may put anything there.
  if (command == kProxy && family >= kAddressBytes.size()) {
    return fail(fmt::format("expected address family 0 to 3, found {}", family));
  }
  if (command == kProxy && transport > kLastTransport) {
    return fail(fmt::format("expected transport protocol 0 to 2, found {}", transport));
  }
  const std::size_t needed = address_bytes(family);
  if (command == kProxy && length < needed) {
    return fail(fmt::format("expected at least {} bytes of addresses, found {}", needed, length));
  }
  const std::size_t tlvs = length - std::min(length, needed);
  if (tlvs > kMaxTlvBytes) {
    return fail(fmt::format("expected at most {} bytes of TLVs, found {}", kMaxTlvBytes, tlvs));
  }
  const bool announces = command == kProxy && transport != 0;
  if (announces && family == kUnix) source_ = "unix";
  addresses_ = announces && (family == kIpv4 || family == kIpv6) ? needed : 0;
  skipped_ = length - addresses_;
  state_ = State::Addresses;
  if (addresses_ == 0) end_addresses();
}

/// Both addresses, then both ports.
void ProxyHeaderReader::read_addresses() {
  const std::span<const char> all = std::span(held_).subspan(kFixedBytes, addresses_);
  const std::size_t each = addresses_ / 2 - kPortBytes;
  source_ = IpAddress::from_bytes(all.first(each)).text_with_port(u16_at(all, 2 * each));
  end_addresses();
}

void ProxyHeaderReader::end_addresses() noexcept {
  state_ = skipped_ > 0 ? State::Skip : State::Found;
}

void ProxyHeaderReader::fail(std::string fault) noexcept {
  fault_ = std::move(fault);
  state_ = State::Malformed;
}

}  // namespace sluice::protocol
