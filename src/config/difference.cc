#include "config/difference.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/ascii.h"

namespace sluice::config {
namespace {

bool has_same_range(const Broker& a, const Broker& b) {
  return a.min_dev_no == b.min_dev_no && a.max_dev_no == b.max_dev_no;
}

bool has_name(const std::vector<Broker>& brokers, const std::string& name) {
  return std::any_of(brokers.begin(), brokers.end(),
                     [&](const Broker& broker) { return broker.name == name; });
}

/// Gives every broker of `next` that has none yet the first of `known` that fits and is free.
class Matcher {
 public:
  Matcher(const std::vector<KnownBroker>& known, const std::vector<Broker>& next)
      : known_(known), next_(next), taken_(known.size()), result_(next.size()) {}

  void match(const auto& fits) {
    for (std::size_t at = 0; at < next_.size(); ++at) {
      for (std::size_t of = 0; of < known_.size() && !result_[at]; ++of) {
        if (taken_[of] || !fits(known_[of], next_[at])) continue;
        taken_[of] = true;
        result_[at] = of;
      }
    }
  }
  std::vector<std::optional<std::size_t>> take() { return std::move(result_); }

 private:
  const std::vector<KnownBroker>& known_;
  const std::vector<Broker>& next_;
  std::vector<bool> taken_;
  std::vector<std::optional<std::size_t>> result_;
};

}  // namespace

std::vector<std::string> keep_what_needs_restart(const Config& running, Config& next) {
  std::vector<std::string> keys;
  const auto keep = [&](const char* key, const auto& value, auto& changed) {
    if (value == changed) return;
    keys.emplace_back(key);
    changed = value;
  };
  keep("server.reuse_port", running.server.reuse_port, next.server.reuse_port);
  keep("server.tcp_fastopen", running.server.tcp_fastopen, next.server.tcp_fastopen);
  return keys;
}

std::string endpoint(const Broker& broker) {
  return fmt::format("{}:{}", to_lower(broker.host), broker.port);
}

std::string connection_key(const Broker& broker) {
  // Texts of the user go in with their length, so that no two brokers look alike by chance.
  return fmt::format(
      "{} tls={} insecure={} protocol={} keepalive={} incoming={} user={}:{} password={}:{}",
      endpoint(broker), broker.tls_enabled, broker.tls.insecure, broker.protocol == Protocol::V5,
      broker.keepalive_s, broker.max_incoming_packet_bytes, broker.username.size(), broker.username,
      broker.password.size(), broker.password);
}

std::vector<std::optional<std::size_t>> match_brokers(const std::vector<KnownBroker>& known,
                                                      const std::vector<Broker>& next) {
  const auto is_same_name = [](const KnownBroker& a, const Broker& b) {
    return a.settings.name == b.name;
  };
  const auto is_same_place = [](const KnownBroker& a, const Broker& b) {
    return endpoint(a.settings) == endpoint(b);
  };
  Matcher matcher(known, next);
  matcher.match([&](const KnownBroker& a, const Broker& b) {
    return is_same_name(a, b) && is_same_place(a, b);
  });
  matcher.match([&](const KnownBroker& a, const Broker& b) {
    return !a.is_removed && is_same_place(a, b) && has_same_range(a.settings, b);
  });
  matcher.match(is_same_name);
  matcher.match([&](const KnownBroker& a, const Broker& b) {
    return !a.is_removed && is_same_place(a, b) && !has_name(next, a.settings.name);
  });
  matcher.match([&](const KnownBroker& a, const Broker& b) {
    return a.is_removed && connection_key(a.settings) == connection_key(b);
  });
  return matcher.take();
}

std::vector<Address> missing_addresses(const std::vector<Address>& of,
                                       const std::vector<Address>& in) {
  std::vector<Address> missing;
  for (const Address& address : of) {
    if (std::find(in.begin(), in.end(), address) == in.end()) missing.push_back(address);
  }
  return missing;
}

std::vector<std::string> describe_changes(const Config& former, const Config& next) {
  std::vector<std::string> changes;
  for (const Address& address : missing_addresses(next.server.listen, former.server.listen))
    changes.push_back(fmt::format("listener {} added", address.text()));
  for (const Address& address : missing_addresses(former.server.listen, next.server.listen))
    changes.push_back(fmt::format("listener {} removed", address.text()));
  ServerSettings rest = former.server;
  rest.listen = next.server.listen;
  if (!(rest == next.server)) changes.emplace_back("[server] changed");
  if (!(former.defaults == next.defaults)) changes.emplace_back("[defaults] changed");
  if (!(former.limits == next.limits)) changes.emplace_back("[limits] changed");
  if (!(former.replies == next.replies)) changes.emplace_back("[replies] changed");
  if (!(former.log == next.log)) changes.emplace_back("[log] changed");
  if (!(former.admin == next.admin)) changes.emplace_back("[admin] changed");
  return changes;
}

}  // namespace sluice::config
