// Name lookup, connect with a timeout, poll() that resumes after signals.
#include "sdk/socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <memory>
#include <system_error>

namespace sluice::sdk {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::string_view kDefaultPort = "9501";  // of `[server] listen`

Connected failed(int error) {
  return {-1, error, std::generic_category().message(error)};
}

milliseconds left_until(Clock::time_point deadline) {
  const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now());
  return std::max(left, milliseconds{0});
}

/// Connects fd; returns 0 or an errno.
int connect_within(int fd, const sockaddr* address, socklen_t size, Clock::time_point deadline) {
  if (::connect(fd, address, size) == 0) return 0;
  // An interrupted connect() continues in the background, like one in progress.
  if (errno != EINPROGRESS && errno != EINTR) return errno;
  if (poll_one(fd, POLLOUT, left_until(deadline)) == 0) return ETIMEDOUT;
  int error = 0;
  socklen_t length = sizeof error;
  if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) return errno;
  return error;
}

Connected connect_one(int family, const sockaddr* address, socklen_t size,
                      Clock::time_point deadline) {
  const int fd = ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return failed(errno);
  if (const int error = connect_within(fd, address, size, deadline); error != 0) {
    ::close(fd);
    return failed(error);
  }
  if (family != AF_UNIX) {
    const int on = 1;
    (void)::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // slower without, no worse
  }
  return {fd, 0, {}};
}

Connected connect_unix(const std::string& path, Clock::time_point deadline) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return {-1, 0, "the path is too long for a socket"};
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  for (;;) {
    Connected result =
        connect_one(AF_UNIX, reinterpret_cast<const sockaddr*>(&address), sizeof address, deadline);
    // With a full backlog connect() fails at once on a Unix socket, so it is retried.
    if (result.fd >= 0 || result.error != EAGAIN) return result;
    if (left_until(deadline) == milliseconds{0}) return result;
    (void)::poll(nullptr, 0, 5);
  }
}

Connected connect_tcp(const ServerAddress& address, Clock::time_point deadline) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int fault = ::getaddrinfo(address.host.c_str(), address.port.c_str(), &hints, &found);
  if (fault != 0) return {-1, 0, std::string("name lookup: ") + ::gai_strerror(fault)};
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);

  Connected result{-1, 0, "the name has no address"};
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    result = connect_one(one->ai_family, one->ai_addr, one->ai_addrlen, deadline);
    if (result.fd >= 0 || left_until(deadline) == milliseconds{0}) break;
  }
  return result;
}

bool is_ipv6(std::string_view text) {
  in6_addr ignored{};
  // A link-local address may carry its interface: fe80::1%eth0.
  const std::string address(text.substr(0, text.find('%')));
  return ::inet_pton(AF_INET6, address.c_str(), &ignored) == 1;
}

bool is_port(std::string_view text) {
  if (text.empty() || text.size() > 5) return false;
  int port = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
    port = port * 10 + (c - '0');
  }
  return port >= 1 && port <= 65535;
}

ServerAddress faulty(std::string fault) {
  return {{}, {}, {}, std::move(fault)};
}

}  // namespace

short poll_one(int fd, short events, milliseconds timeout) {
  const bool is_limited = timeout >= milliseconds{0};
  // Far beyond any use, and far below where adding it to the clock would overflow.
  const Clock::time_point deadline = Clock::now() + std::min(timeout, milliseconds{1LL << 40U});
  for (;;) {
    pollfd entry{fd, events, 0};
    constexpr auto kMost = milliseconds{std::numeric_limits<int>::max()};
    const milliseconds wait = is_limited ? std::min(left_until(deadline), kMost) : kMost;
    const int ready = ::poll(&entry, 1, static_cast<int>(wait.count()));
    if (ready > 0) return entry.revents;
    if (ready < 0 && errno != EINTR) return POLLERR;
    if (is_limited && left_until(deadline) == milliseconds{0}) return 0;
  }
}

ServerAddress parse_address(std::string_view text) {
  constexpr std::string_view kTcp = "tcp://";
  constexpr std::string_view kUnix = "unix://";
  constexpr std::string_view kExpected = "expected HOST[:PORT], tcp://HOST[:PORT] or unix:///PATH";
  if (text.starts_with("tls://")) return faulty("tls:// is not supported yet");
  if (text.find('\0') != std::string_view::npos) return faulty("an address holds no NUL");
  if (text.starts_with(kUnix)) {
    const std::string_view path = text.substr(kUnix.size());
    if (!path.starts_with('/')) return faulty("expected unix:///PATH");
    return {{}, {}, std::string(path), {}};
  }
  if (text.starts_with(kTcp)) text.remove_prefix(kTcp.size());
  if (text.find('/') != std::string_view::npos) return faulty(std::string(kExpected));
  std::string_view host = text;
  std::string_view port = kDefaultPort;
  const std::size_t colon = text.rfind(':');
  // ::1:9501 is an address too, but not likely the one that was meant.
  const bool is_ambiguous = colon != std::string_view::npos && is_port(text.substr(colon + 1)) &&
                            is_ipv6(text.substr(0, colon));
  if (is_ipv6(text) && !is_ambiguous) return {std::string(text), std::string(port), {}, {}};
  if (colon != std::string_view::npos && !text.ends_with(']')) {
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
    if (!is_port(port)) return faulty(std::string(kExpected));
  }
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
    if (!is_ipv6(host)) return faulty("expected an IPv6 address in the brackets");
  } else if (host.find_first_of(":[]") != std::string_view::npos) {
    return faulty(
        "expected HOST[:PORT]; with a port an IPv6 address stands in brackets: "
        "[::1]:9501");
  }
  if (host.empty()) return faulty("the host is missing");
  return {std::string(host), std::string(port), {}, {}};
}

std::string ServerAddress::text() const {
  if (!path.empty()) return "unix://" + path;
  if (host.find(':') != std::string::npos) return "[" + host + "]:" + port;
  return host + ":" + port;
}

bool ServerAddress::has_name() const {
  in_addr ignored{};
  return !host.empty() && !is_ipv6(host) && ::inet_pton(AF_INET, host.c_str(), &ignored) != 1;
}

Connected connect_to(const ServerAddress& address, milliseconds timeout) {
  const auto limited = std::clamp(timeout, milliseconds{0}, milliseconds{1LL << 40U});
  const Clock::time_point deadline = Clock::now() + limited;
  if (!address.fault.empty()) return {-1, 0, address.fault};
  return address.path.empty() ? connect_tcp(address, deadline)
                              : connect_unix(address.path, deadline);
}

}  // namespace sluice::sdk
