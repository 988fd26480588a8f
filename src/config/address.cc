// Splits addresses by hand: the few allowed forms are simpler than a URL parser, and an error lists
// them.
#include "config/address.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/un.h>

#include <algorithm>
#include <optional>

#include "base/ascii.h"
#include "config/text.h"

namespace sluice::config {
namespace {

constexpr std::size_t kMaxPathBytes = sizeof(sockaddr_un::sun_path) - 1;
constexpr std::size_t kMaxHostBytes = 253;  // RFC 1035, 2.3.4, as text

struct HostPort {
  std::string host;
  std::optional<std::uint16_t> port;
};

bool is_ipv6(std::string_view text) {
  in6_addr ignored{};
  // A link-local address may carry its interface: fe80::1%eth0.
  const std::string address(text.substr(0, text.find('%')));
  return inet_pton(AF_INET6, address.c_str(), &ignored) == 1;
}

bool is_name_or_ipv4(std::string_view text) {
  if (!is_plain_name(text) || text.size() > kMaxHostBytes) return false;
  if (text.find_first_not_of("0123456789.") != std::string_view::npos) return true;
  in_addr ignored{};
  return inet_pton(AF_INET, std::string(text).c_str(), &ignored) == 1;
}

/// `:PORT`, or nothing where the text is empty. False: neither.
bool read_port(std::string_view text, std::optional<std::uint16_t>& port) {
  if (text.empty()) return true;
  text.remove_prefix(1);
  port = to_integer<std::uint16_t>(text);
  return port.has_value();
}

std::optional<HostPort> read_host_port(std::string_view text) {
  HostPort result;
  std::string_view rest;
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) return std::nullopt;
    result.host = text.substr(1, close - 1);
    rest = text.substr(close + 1);
    if (!is_ipv6(result.host) || (!rest.empty() && rest.front() != ':')) return std::nullopt;
  } else {
    const std::size_t colon = text.find(':');
    result.host = text.substr(0, colon);
    if (colon != std::string_view::npos) rest = text.substr(colon);
    if (!is_name_or_ipv4(result.host)) return std::nullopt;
  }
  if (!read_port(rest, result.port)) return std::nullopt;
  return result;
}

/// The address as a fault may show it: without user and password, and without what follows the
/// port. A password may hold what ends it, so a later "@" hides the rest.
std::string without_secrets(std::string_view text) {
  const std::size_t scheme = text.find("://");
  const std::size_t begin = scheme == std::string_view::npos ? 0 : scheme + 3;
  const bool is_path = text.starts_with("unix://");
  const std::size_t end = std::min(text.find_first_of(is_path ? "?#" : "/?#;", begin), text.size());
  std::string result(text.substr(0, begin));
  std::string_view host = text.substr(begin, end - begin);
  if (text.find('@', end) != std::string_view::npos) return result + "…";
  if (const std::size_t login = host.rfind('@'); login != std::string_view::npos) {
    result += "…";
    host.remove_prefix(login);
  }
  result += host;
  if (end < text.size()) result += text[end];
  if (end + 1 < text.size()) result += "…";
  return result;
}

Error expected(std::string_view what, std::string_view found) {
  return Error{fmt::format("expected {}, found {}", what, quoted(without_secrets(found)))};
}

Result<Address> read_tcp(std::string_view host_port, std::string_view what,
                         std::string_view found) {
  auto read = read_host_port(host_port);
  if (!read || !read->port) return expected(what, found);
  return Address{Address::Kind::Tcp, std::move(read->host), *read->port, ""};
}

}  // namespace

std::string Address::text() const {
  if (kind == Kind::Unix) return "unix://" + path;
  const bool bracketed = host.find(':') != std::string::npos;
  return fmt::format("tcp://{}{}{}:{}", bracketed ? "[" : "", host, bracketed ? "]" : "", port);
}

Result<Address> parse_listener(std::string_view text) {
  constexpr std::string_view kAllowed =
      "tcp://HOST:PORT ([…] around an IPv6 address) or unix:///PATH";
  constexpr std::string_view kTcp = "tcp://";
  constexpr std::string_view kUnix = "unix://";
  if (text.starts_with(kTcp)) return read_tcp(text.substr(kTcp.size()), kAllowed, text);
  if (!text.starts_with(kUnix)) return expected(kAllowed, text);

  const std::string_view path = text.substr(kUnix.size());
  if (!path.starts_with('/') || path.ends_with('/')) return expected(kAllowed, text);
  if (path.size() > kMaxPathBytes) {
    return Error{fmt::format("expected a socket path of at most {} bytes, found {}", kMaxPathBytes,
                             path.size())};
  }
  return Address{Address::Kind::Unix, "", 0, std::string(path)};
}

Result<Address> parse_host_port(std::string_view text) {
  constexpr std::string_view kTcp = "tcp://";
  std::string_view host_port = text;
  if (host_port.starts_with(kTcp)) host_port.remove_prefix(kTcp.size());
  return read_tcp(host_port, "HOST:PORT ([…] around an IPv6 address) or \"\"", text);
}

Result<BrokerUrl> parse_broker_url(std::string_view text) {
  constexpr std::string_view kAllowed = "mqtt://HOST[:PORT] or mqtts://HOST[:PORT]";
  if (text.find('@') != std::string_view::npos) {
    return Error{
        fmt::format("expected {}, found a user name; set username and password instead", kAllowed)};
  }
  BrokerUrl result;
  std::string_view rest = text;
  if (text.starts_with("mqtt://")) {
    rest.remove_prefix(7);
  } else if (text.starts_with("mqtts://")) {
    rest.remove_prefix(8);
    result.tls = true;
  } else {
    return expected(kAllowed, text);
  }
  if (rest.ends_with('/')) rest.remove_suffix(1);
  auto read = read_host_port(rest);
  if (!read || read->port == 0) return expected(kAllowed, text);
  result.host = std::move(read->host);
  result.port = read->port.value_or(result.tls ? 8883 : 1883);
  return result;
}

}  // namespace sluice::config
