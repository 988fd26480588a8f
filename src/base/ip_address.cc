#include "base/ip_address.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <cassert>

namespace sluice {
namespace {

constexpr std::array<std::uint8_t, 12> kV4Prefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

}  // namespace

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  if (text.size() >= INET6_ADDRSTRLEN) return std::nullopt;
  const std::string terminated(text);
  if (terminated.find('\0') != std::string::npos) return std::nullopt;
  std::array<char, kBytes> bytes{};
  if (::inet_pton(AF_INET, terminated.c_str(), bytes.data()) == 1) {
    return from_bytes(std::span(bytes).first(kV4Bytes));
  }
  if (::inet_pton(AF_INET6, terminated.c_str(), bytes.data()) == 1) return from_bytes(bytes);
  return std::nullopt;
}

IpAddress IpAddress::from_bytes(std::span<const char> bytes) noexcept {
  assert(bytes.size() == kV4Bytes || bytes.size() == kBytes);
  IpAddress address;
  std::uint8_t* to = address.bytes_.data();
  if (bytes.size() == kV4Bytes) to = std::copy(kV4Prefix.begin(), kV4Prefix.end(), to);
  std::transform(bytes.begin(), bytes.end(), to,
                 [](char byte) { return static_cast<std::uint8_t>(byte); });
  return address;
}

bool IpAddress::is_v4() const noexcept {
  return std::equal(kV4Prefix.begin(), kV4Prefix.end(), bytes_.begin());
}

std::string IpAddress::text() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const bool v4 = is_v4();
  const std::uint8_t* from = v4 ? bytes_.data() + kV4Prefix.size() : bytes_.data();
  ::inet_ntop(v4 ? AF_INET : AF_INET6, from, text.data(), text.size());
  return text.data();
}

std::string IpAddress::text_with_port(std::uint16_t port) const {
  return is_v4() ? fmt::format("{}:{}", text(), port) : fmt::format("[{}]:{}", text(), port);
}

}  // namespace sluice
