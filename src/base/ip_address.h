// An IP address as a value: from text, from bytes, to text.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace sluice {

/// IPv4 is kept as IPv4-mapped IPv6 (::ffff:0:0/96), so that both forms of an address are equal.
class IpAddress {
 public:
  static constexpr std::size_t kBytes = 16;
  static constexpr std::size_t kV4Bytes = 4;

  /// `10.1.2.3` or `2001:db8::1`, without port, brackets and zone; nothing for anything else.
  static std::optional<IpAddress> parse(std::string_view text);
  /// kV4Bytes or kBytes in network order.
  static IpAddress from_bytes(std::span<const char> bytes) noexcept;

  bool is_v4() const noexcept;
  /// In network order.
  const std::array<std::uint8_t, kBytes>& bytes() const noexcept { return bytes_; }
  /// `10.1.2.3`, `2001:db8::1`
  std::string text() const;
  /// `10.1.2.3:80`, `[2001:db8::1]:80`
  std::string text_with_port(std::uint16_t port) const;

  bool operator==(const IpAddress&) const = default;

 private:
  std::array<std::uint8_t, kBytes> bytes_{};
};

}  // namespace sluice
