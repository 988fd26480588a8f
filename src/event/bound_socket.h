// Addresses in text become sockets here, for everything that listens.
#pragma once

#include <sys/un.h>

#include <cstdint>
#include <string>

#include "base/error.h"
#include "event/descriptor.h"

namespace sluice::event {

/// A socket with an address, not listening yet.
struct BoundSocket {
  Descriptor fd;
  bool is_ipv6 = false;
};

/// A non-blocking TCP socket bound to `host`, an IP address, with SO_REUSEADDR. Port 0: the system
/// chooses one. The error is the system's reason alone; the caller names the address.
Result<BoundSocket> bind_tcp(const std::string& host, std::uint16_t port, bool reuse_port = false);

/// The address of a socket file; a longer path than sun_path holds is cut.
sockaddr_un unix_address(const std::string& path) noexcept;

}  // namespace sluice::event
