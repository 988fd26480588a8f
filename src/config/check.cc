// Each function checks for one kind of contradiction and reports it at a key that the file sets.
#include "config/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "base/ascii.h"
#include "config/identifier.h"
#include "config/remarks.h"
#include "config/text.h"

namespace sluice::config {
namespace {

/// Listeners, the admin interface, the log, the loop's own, names being resolved, and:
constexpr std::uint64_t kOwnDescriptors = 32;
/// Of all brokers together. Each takes memory, three descriptors and a local port.
constexpr std::uint64_t kMaxConnections = 100000;
/// Reserved for refused clients.
constexpr std::uint64_t kRefusedAtLeast = 8;

/// Two listeners on port 0 get different ports.
bool is_same_place(const Address& a, const Address& b) {
  if (a.kind == Address::Kind::Tcp && a.port == 0) return false;
  return to_lower(a.text()) == to_lower(b.text()) &&
         (a.kind == Address::Kind::Tcp || a.path == b.path);
}

void check_limits(const Config& config, Tables& tables) {
  const Duration publish = config.defaults.publish_timeout;
  const Duration longest = config.limits.max_timeout;
  if (publish > longest && tables.defaults.is_valid({"publish_timeout_ms"}) &&
      tables.limits.is_valid({"max_timeout_ms"})) {
    // Reported at the key that the file sets; the other may be a default.
    const bool at_default = tables.defaults.is_given("publish_timeout_ms");
    Section& table = at_default ? tables.defaults : tables.limits;
    table.fault(at_default ? "publish_timeout_ms" : "max_timeout_ms",
                fmt::format("expected defaults.publish_timeout_ms not above limits.max_timeout_ms, "
                            "found {} and {}",
                            publish.count(), longest.count()));
  }
  if (config.limits.max_request_bytes > config.limits.input_bytes &&
      tables.limits.is_valid({"max_request_bytes", "input_bytes"})) {
    tables.limits.fault(tables.limits.is_given("input_bytes") ? "input_bytes" : "max_request_bytes",
                        fmt::format("expected max_request_bytes not above input_bytes, found {} "
                                    "and {}",
                                    config.limits.max_request_bytes, config.limits.input_bytes));
  }
}

void check_listeners(const Config& config, Tables& tables) {
  const std::vector<Address>& listen = config.server.listen;
  if (!tables.server.is_valid({"listen"})) return;
  for (std::size_t at = 1; at < listen.size(); ++at) {
    const auto end = listen.begin() + static_cast<std::ptrdiff_t>(at);
    if (std::none_of(listen.begin(), end,
                     [&](const Address& earlier) { return is_same_place(earlier, listen[at]); }))
      continue;
    tables.server.fault_at(tables.listen[at].place, "listen",
                           fmt::format("duplicate address {}; each may be listed once",
                                       quoted(tables.listen[at].text)));
  }
  const auto& admin = config.admin.listen;
  if (!admin || !tables.admin.is_valid({"listen"})) return;
  for (const Address& address : listen) {
    if (!is_same_place(address, *admin)) continue;
    // The default of [admin] has no line of its own.
    Section& table = tables.admin.is_given("listen") ? tables.admin : tables.server;
    table.fault("listen", fmt::format("expected different addresses in server.listen and "
                                      "admin.listen, found {} in both",
                                      quoted(admin->text())));
  }
}

void check_instance(const Config& config, Tables& tables) {
  if (!tables.server.is_valid({"listen", "instance"})) return;
  const std::string instance = instance_name(config);
  if (is_plain_name(instance)) return;
  tables.server.fault(
      "instance", fmt::format("required: a name of letters, digits, \".\", \"_\" and \"-\"; the "
                              "default, {} from the first socket's file name, is not one",
                              quoted(instance)));
}

void check_names(const Config& config, Tables& tables) {
  std::unordered_map<std::string, unsigned> lines;
  for (std::size_t at = 0; at < config.brokers.size(); ++at) {
    Section& table = tables.brokers[at];
    if (!table.is_given("name") || !table.is_valid({"name"})) continue;
    const std::string& name = config.brokers[at].name;
    const auto [known, added] = lines.emplace(name, table.place_of("name").line);
    if (added) continue;
    table.fault("name", fmt::format("duplicate name {}, first used in line {}", quoted(name),
                                    known->second));
  }
}

/// False: there are too many, and nothing may be done for each.
bool check_connections(const Config& config, Tables& tables) {
  std::uint64_t total = 0;
  std::optional<std::size_t> first_beyond;
  for (std::size_t at = 0; at < config.brokers.size(); ++at) {
    total += config.brokers[at].connections;
    if (total > kMaxConnections && !first_beyond) first_beyond = at;
  }
  if (!first_beyond) return true;
  tables.brokers[*first_beyond].fault(
      "connections",
      fmt::format("expected at most {} connections of all brokers together, found {}",
                  kMaxConnections, total));
  return false;
}

/// A broker ends a connection whose client identifier connects again [MQTT-3.1.4-3]: two slots with
/// one identifier would keep disconnecting each other.
void check_identifiers(const Config& config, Tables& tables) {
  if (!tables.server.is_valid({"listen", "instance"})) return;
  const std::string instance = instance_name(config);
  std::unordered_map<std::string, unsigned> lines;
  for (std::size_t at = 0; at < config.brokers.size(); ++at) {
    const Broker& broker = config.brokers[at];
    Section& table = tables.brokers[at];
    if (!table.is_valid({"url", "name", "client_id", "connections"})) continue;
    const std::string url = canonical_url(broker);
    for (unsigned slot = 0; slot < broker.connections; ++slot) {
      // Host and process are the same for all: their placeholders may stand for themselves.
      const auto identifier = replace_placeholders(
          broker.client_id, {"{host}", instance, broker.name, std::to_string(slot), "{pid}"});
      if (!identifier) break;
      const unsigned line = table.place_of("client_id").line;
      const auto [known, added] = lines.emplace(url + " " + identifier.value(), line);
      if (added) continue;
      table.fault(
          "client_id",
          fmt::format("client identifiers must be unique at one url: {} is also used by the "
                      "broker in line {}",
                      quoted(identifier.value()), known->second));
      break;
    }
  }
}

}  // namespace

void check_across(const Config& config, Tables& tables) {
  check_limits(config, tables);
  check_listeners(config, tables);
  check_instance(config, tables);
  check_names(config, tables);
  if (check_connections(config, tables)) check_identifiers(config, tables);
}

std::optional<Finding> fit_to_descriptors(Config& config, const Tables& tables,
                                          std::uint64_t descriptors) {
  std::uint64_t links = 0;
  for (const Broker& broker : config.brokers)
    links += broker.connections;
  ServerSettings& server = config.server;
  const unsigned wanted = server.max_connections;
  const std::uint64_t reserved = kDescriptorsPerLink * links + kOwnDescriptors;
  const std::uint64_t left = descriptors > reserved ? descriptors - reserved : 0;
  server.max_connections = static_cast<unsigned>(std::clamp<std::uint64_t>(left, 1, wanted));
  const std::uint64_t spare = left - std::min<std::uint64_t>(left, server.max_connections);
  server.max_refused =
      static_cast<unsigned>(std::clamp<std::uint64_t>(spare, kRefusedAtLeast, server.max_refused));
  server.max_half_closed = static_cast<unsigned>(std::min<std::uint64_t>(
      spare - std::min<std::uint64_t>(spare, server.max_refused), server.max_half_closed));
  if (left >= wanted) return std::nullopt;
  return Finding{
      tables.server.place_of("max_connections"),
      fmt::format("up to {} files can be open at once (server.max_connections {} + {} for each of "
                  "{} connections to brokers + {}), but the hard limit is {}: max_connections "
                  "lowered to {} to keep descriptors for broker connections",
                  wanted + reserved, wanted, kDescriptorsPerLink, links, kOwnDescriptors,
                  descriptors, server.max_connections)};
}

std::vector<Finding> warnings_of(const Config& config, const Tables& tables) {
  std::vector<Finding> warnings;
  bool has_pid = true;
  for (std::size_t at = 0; at < config.brokers.size(); ++at) {
    const Broker& broker = config.brokers[at];
    has_pid = has_pid && broker.client_id.find("{pid}") != std::string::npos;
    if (!broker.tls.insecure) continue;
    warnings.push_back({tables.brokers[at].place_of("tls"),
                        fmt::format("broker[{}].tls.insecure: the certificate is not verified; "
                                    "anyone on the network path can read and forge messages",
                                    broker.name)});
  }
  const ServerSettings& server = config.server;
  const bool listens_on_tcp =
      std::any_of(server.listen.begin(), server.listen.end(),
                  [](const Address& address) { return address.kind == Address::Kind::Tcp; });
  if (server.proxy_protocol == ProxyProtocol::Required && server.proxy_from.networks.empty() &&
      listens_on_tcp)
    warnings.push_back(
        {tables.server.place_of("proxy_from"),
         fmt::format(
             "server.proxy_from: names no network, so no client can use a tcp:// listener")});
  if (config.server.reuse_port && config.server.instance.empty() && !has_pid)
    warnings.push_back(
        {tables.server.place_of("reuse_port"),
         fmt::format("server.reuse_port: processes that share a port need different values of "
                     "server.instance; otherwise their client identifiers are the same")});
  return warnings;
}

}  // namespace sluice::config
