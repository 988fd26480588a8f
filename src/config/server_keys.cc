#include "config/server_keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>

#include "base/ascii.h"
#include "base/http_words.h"
#include "config/address.h"
#include "config/network.h"
#include "config/text.h"

namespace sluice::config {
namespace {

using Milliseconds = std::chrono::milliseconds;
using Seconds = std::chrono::seconds;

constexpr std::int64_t kHour = 3600000;        // in milliseconds
constexpr std::int64_t kYear = 31536000;       // in seconds
constexpr std::size_t kMaxProxySources = 256;  // each new client is compared with all of them

std::vector<ListItem> read_listeners(Section& table, ServerSettings& server) {
  std::vector<ListItem> items;
  if (!table.list("listen", items)) return {};
  std::vector<Address> addresses;
  for (const ListItem& item : items) {
    auto address = parse_listener(item.text);
    if (address) {
      addresses.push_back(std::move(address).value());
    } else {
      table.fault_at(item.place, "listen", address.error().what);
    }
  }
  if (items.empty()) table.fault("listen", "expected at least one address, found an empty list");
  if (table.is_valid({"listen"})) server.listen = std::move(addresses);
  return items;
}

void read_proxy_sources(Section& table, ServerSettings& server) {
  std::vector<ListItem> items;
  if (!table.list("proxy_from", items)) return;
  if (items.size() > kMaxProxySources) {
    table.fault("proxy_from",
                fmt::format("expected at most {} entries, found {}; larger networks name more "
                            "addresses at once",
                            kMaxProxySources, items.size()));
    return;
  }
  for (const ListItem& item : items) {
    if (item.text == "unix") {
      server.proxy_from.unix_sockets = true;
    } else if (auto network = parse_network(item.text)) {
      server.proxy_from.networks.push_back(network.value());
    } else {
      table.fault_at(item.place, "proxy_from", network.error().what);
    }
  }
}

void read_proxy_protocol(Section& table, ServerSettings& server) {
  table.choice<ProxyProtocol>("proxy_protocol", server.proxy_protocol,
                              {{"off", ProxyProtocol::Off}, {"required", ProxyProtocol::Required}});
  read_proxy_sources(table, server);
  if (server.proxy_protocol == ProxyProtocol::Off || !server.proxy_from.empty() ||
      !table.is_valid({"proxy_from"}))
    return;
  table.fault(table.is_given("proxy_from") ? "proxy_from" : "proxy_protocol",
              "with proxy_protocol = \"required\" expected the load balancer's addresses in "
              "proxy_from, such as [\"10.0.0.0/8\"], found none");
}

/// Has something in common with `word`: each other's beginning.
bool is_confused_with(std::string_view end, std::string_view word) {
  const std::size_t size = std::min(end.size(), word.size());
  return end.substr(0, size) == word.substr(0, size);
}

bool looks_like_http(std::string_view end) {
  if (is_confused_with(to_lower(std::string(end)), kHttpHost)) return true;
  return std::any_of(kHttpMethods.begin(), kHttpMethods.end(),
                     [&](std::string_view method) { return is_confused_with(end, method); });
}

void read_request_end(Section& table, std::string& target) {
  constexpr std::string_view kSpace = " \t\r\n";
  constexpr std::size_t kMaxBytes = 16;
  std::string end;
  if (!table.text("request_end", end, kMaxBytes)) return;
  const auto refuse = [&](std::string_view why) {
    table.fault("request_end", fmt::format("expected {}, found {}", why, quoted(end)));
  };
  std::string_view core = end;
  core.remove_prefix(std::min(core.find_first_not_of(kSpace), core.size()));
  core.remove_suffix(core.size() - (core.find_last_not_of(kSpace) + 1));
  if (end.empty()) {
    target.clear();
  } else if (core.empty()) {
    refuse("more than white space, which is skipped between requests without this key");
  } else if (end.find_first_of("{\"'") != std::string::npos) {
    refuse("no \"{\" and no quotes, which JSON needs");
  } else if (core.find('\n') != std::string_view::npos) {
    refuse("no newline between other characters, because it ends what is skipped");
  } else if (looks_like_http(core)) {
    refuse("nothing that an HTTP request can begin with");
  } else {
    target = std::move(end);
  }
}

}  // namespace

std::vector<ListItem> read_server(Section& table, ServerSettings& server) {
  std::vector<ListItem> listen = read_listeners(table, server);
  if (table.text("instance", server.instance, 255) && !server.instance.empty())
    table.expect_plain_name("instance", server.instance);
  table.number("max_connections", server.max_connections, {1, 1000000});
  read_request_end(table, server.request_end);
  table.flag("tcp_fastopen", server.tcp_fastopen);
  table.flag("reuse_port", server.reuse_port);
  read_proxy_protocol(table, server);
  table.duration<Seconds>("idle_timeout_s", server.idle_timeout, {0, kYear});
  table.duration<Milliseconds>("drain_delay_ms", server.drain_delay, {0, kHour});
  table.duration<Milliseconds>("drain_timeout_ms", server.drain_timeout, {0, kHour});
  table.finish();
  return listen;
}

}  // namespace sluice::config
