// Compares the configuration in force with a new one. Pure functions.
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

/// Everything that a connection to the broker depends on, as one text: address, login, protocol,
/// keep alive and how TLS is spoken. Equal for two brokers whose connections may stay. Holds the
/// password. What certificate files contain is not in it, nor is the client identifier.
std::string connection_key(const Broker& broker);

/// HOST:PORT in a form that is equal for equal endpoints.
std::string endpoint(const Broker& broker);

/// A broker that has a pool.
struct KnownBroker {
  const Broker& settings;
  bool is_removed = false;  ///< by an earlier reload; it still holds messages
};

/// For each broker of `next` the index of the one in `known` that it continues, if any; none twice.
/// Matched by name, or by url where a name is new or has moved, so that queued messages never go to
/// another broker that got the name. A new broker with the connection settings of a removed one
/// continues it: otherwise it would overtake the messages held there.
std::vector<std::optional<std::size_t>> match_brokers(const std::vector<KnownBroker>& known,
                                                      const std::vector<Broker>& next);

/// Addresses of `of` that are not in `in`.
std::vector<Address> missing_addresses(const std::vector<Address>& of,
                                       const std::vector<Address>& in);

/// What has changed beside the brokers, one phrase each, for the log; no secrets.
std::vector<std::string> describe_changes(const Config& former, const Config& next);

}  // namespace sluice::config
