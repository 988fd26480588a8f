// Networks in CIDR notation, and the addresses that may announce a client's.
#pragma once

#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/ip_address.h"

namespace sluice::config {

/// All addresses that begin with the same bits.
struct Network {
  IpAddress address;      ///< bits beyond the prefix are 0
  unsigned prefix = 128;  ///< in bits of the IPv6 form, so 10.0.0.0/8 has 104

  bool contains(const IpAddress& other) const noexcept;
  bool operator==(const Network&) const = default;
};

/// `10.0.0.0/8`, `fd00::/8`, or one address. Bits beyond the prefix are cleared.
Result<Network> parse_network(std::string_view text);

/// What `[server] proxy_from` lists.
struct ProxySources {
  std::vector<Network> networks;
  bool unix_sockets = false;

  bool empty() const noexcept { return networks.empty() && !unix_sockets; }
  bool contains(const IpAddress& address) const noexcept;
  bool operator==(const ProxySources&) const = default;
};

}  // namespace sluice::config
