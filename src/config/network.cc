#include "config/network.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/ascii.h"
#include "config/text.h"

namespace sluice::config {
namespace {

constexpr unsigned kBits = 8 * IpAddress::kBytes;
constexpr unsigned kV4Bits = 8 * IpAddress::kV4Bytes;

/// `address` with the bits beyond the prefix cleared.
IpAddress masked(const IpAddress& address, unsigned prefix) {
  std::array<char, IpAddress::kBytes> bytes{};
  for (unsigned bit = 0; bit < kBits; bit += 8) {
    const unsigned kept = prefix > bit ? std::min(prefix - bit, 8U) : 0;
    const unsigned mask = 0xFF00U >> kept;
    bytes.at(bit / 8) = static_cast<char>(address.bytes().at(bit / 8) & mask);
  }
  return IpAddress::from_bytes(bytes);
}

}  // namespace

bool Network::contains(const IpAddress& other) const noexcept {
  return masked(other, prefix) == address;
}

Result<Network> parse_network(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto address = IpAddress::parse(text.substr(0, slash));
  const bool is_v4 = address && text.find(':') == std::string_view::npos;
  unsigned prefix = is_v4 ? kV4Bits : kBits;
  bool is_valid = address.has_value();
  if (slash != std::string_view::npos) {
    const auto given = to_integer<unsigned>(text.substr(slash + 1));
    is_valid = is_valid && given && *given <= prefix;
    prefix = given.value_or(0);
  }
  if (!is_valid) {
    return Error{
        fmt::format("expected a network such as 10.0.0.0/8 or fd00::/8, an IP address, or "
                    "\"unix\" for Unix sockets, found {}",
                    quoted(text))};
  }
  if (is_v4) prefix += kBits - kV4Bits;
  return Network{masked(*address, prefix), prefix};
}

bool ProxySources::contains(const IpAddress& address) const noexcept {
  return std::any_of(networks.begin(), networks.end(),
                     [&](const Network& network) { return network.contains(address); });
}

}  // namespace sluice::config
