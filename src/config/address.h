// Addresses in text: what a listener, the admin interface, a client and a broker's url may say.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "config/config.h"

namespace sluice::config {

/// `tcp://HOST:PORT` or `unix:///PATH`: what `[server] listen` holds. Port 0 is allowed.
Result<Address> parse_listener(std::string_view text);

/// `HOST:PORT` or `tcp://HOST:PORT`: what `[admin] listen` holds. Port 0 is allowed.
Result<Address> parse_host_port(std::string_view text);

/// What a broker's url says.
struct BrokerUrl {
  bool tls = false;
  std::string host;
  std::uint16_t port = 0;
};

/// `mqtt://HOST[:PORT]` or `mqtts://HOST[:PORT]`. An error never repeats a password that was
/// written into the url.
Result<BrokerUrl> parse_broker_url(std::string_view text);

}  // namespace sluice::config
