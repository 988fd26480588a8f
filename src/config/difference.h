// What is different between the configuration in force and a new one. Pure: nothing is done here.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "config/config.h"

namespace sluice::config {

/// Keys that a running process cannot change: gives `next` the values of `running` for them, and
/// returns the names of those that would have changed.
std::vector<std::string> keep_what_needs_restart(const Config& running, Config& next);

/// All that a connection to the broker depends on, as one text: address, login, protocol, keep
/// alive and how TLS is spoken. Equal for two brokers whose connections may stay. Holds the
/// password. What certificate files contain is not in it, nor is the client identifier.
std::string connection_key(const Broker& broker);

/// Where the broker is, written in one way only.
std::string endpoint(const Broker& broker);

/// A broker that there is already.
struct KnownBroker {
  const Broker& settings;
  bool is_removed = false;  ///< an earlier change removed it, and it still holds messages
};

/// For each broker of `next` the one of `known` that it is, if any; none twice. It is the one of
/// its name, or, where a name is new or has gone to another place, the one at its url: names change
/// in place, and messages that wait for a broker must not end up at another one that got its name.
/// A new one that is reached in just the same way as one that is leaving is that one: otherwise it
/// would overtake what that one holds.
std::vector<std::optional<std::size_t>> match_brokers(const std::vector<KnownBroker>& known,
                                                      const std::vector<Broker>& next);

/// Addresses of `of` that are not in `in`.
std::vector<Address> missing_addresses(const std::vector<Address>& of,
                                       const std::vector<Address>& in);

/// What has changed beside the brokers, one phrase each, for the log; no secrets.
std::vector<std::string> describe_changes(const Config& former, const Config& next);

}  // namespace sluice::config
