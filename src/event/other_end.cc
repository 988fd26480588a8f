// Reads the kernel's table of sockets, see sock_diag(7).
#include "event/other_end.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include "event/descriptor.h"

namespace sluice::event {
namespace {

struct Endpoint {
  sa_family_t family = AF_UNSPEC;
  in_port_t port = 0;
  std::array<std::uint32_t, 4> address{};
  bool has_same_address(const Endpoint& other) const noexcept { return address == other.address; }
};

Endpoint to_endpoint(const sockaddr_storage& from) noexcept {
  Endpoint endpoint;
  endpoint.family = from.ss_family;
  if (from.ss_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, &from, sizeof(in));
    endpoint.port = in.sin_port;
    endpoint.address[0] = in.sin_addr.s_addr;
  } else if (from.ss_family == AF_INET6) {
    sockaddr_in6 in6{};
    std::memcpy(&in6, &from, sizeof(in6));
    endpoint.port = in6.sin6_port;
    std::memcpy(endpoint.address.data(), &in6.sin6_addr, sizeof(in6.sin6_addr));
  }
  return endpoint;
}

enum class Found { Open, Closed, None, Unknown };

/// A shortage, of descriptors for one, passes; any other error means that there is no table.
Found failed(int error) noexcept {
  const bool is_shortage =
      error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS || error == EAGAIN;
  return is_shortage ? Found::Unknown : Found::None;
}

/// The socket that is bound to `own` and connected to `other`.
Found look_up(const Endpoint& own, const Endpoint& other) noexcept {
  const Descriptor table(
      ::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG));
  if (table.get() < 0) return failed(errno);
  struct {
    nlmsghdr header{};
    inet_diag_req_v2 body{};
  } query;
  query.header.nlmsg_len = sizeof(query);
  query.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  query.header.nlmsg_flags = NLM_F_REQUEST;
  query.body.sdiag_family = static_cast<std::uint8_t>(own.family);
  query.body.sdiag_protocol = IPPROTO_TCP;
  query.body.idiag_states = ~0U;
  query.body.id.idiag_sport = own.port;
  query.body.id.idiag_dport = other.port;
  std::memcpy(query.body.id.idiag_src, own.address.data(), sizeof(own.address));
  std::memcpy(query.body.id.idiag_dst, other.address.data(), sizeof(other.address));
  query.body.id.idiag_cookie[0] = INET_DIAG_NOCOOKIE;
  query.body.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
  if (::send(table.get(), &query, sizeof(query), 0) < 0) return failed(errno);
  struct {
    nlmsghdr header{};
    inet_diag_msg body{};
    std::array<char, 512> attributes{};
  } answer;
  const ssize_t size = ::recv(table.get(), &answer, sizeof(answer), 0);
  if (size < 0) return failed(errno);
  if (size < static_cast<ssize_t>(sizeof(nlmsghdr) + sizeof(inet_diag_msg))) return Found::None;
  if (answer.header.nlmsg_type != SOCK_DIAG_BY_FAMILY) return Found::None;
  // A socket that no file refers to has no inode.
  const bool is_connected = answer.body.idiag_state == TCP_ESTABLISHED;
  return answer.body.idiag_inode == 0 && !is_connected ? Found::Closed : Found::Open;
}

}  // namespace

bool is_other_end_closed(int fd) noexcept {
  // A kernel without the table would look for the module at each question, which takes time.
  static bool has_table = true;
  if (!has_table) return false;
  sockaddr_storage own{};
  sockaddr_storage peer{};
  socklen_t own_size = sizeof(own);
  socklen_t peer_size = sizeof(peer);
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&own), &own_size) != 0) return false;
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &peer_size) != 0) return false;
  const Endpoint here = to_endpoint(own);
  const Endpoint there = to_endpoint(peer);
  if (here.family == AF_UNSPEC || !here.has_same_address(there)) return false;
  const Found found = look_up(there, here);
  // Address translation on this machine, such as iptables REDIRECT, hides one that is open: at its
  // end the connection has other addresses.
  if (found == Found::None) has_table = look_up(here, there) != Found::None;
  return found == Found::Closed;
}

}  // namespace sluice::event
