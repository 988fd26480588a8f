// Addresses and the blocking way to a connected, non-blocking socket.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace sluice::sdk {

struct ServerAddress {
  std::string host;  ///< empty: a unix socket
  std::string port;
  std::string path;
  std::string fault;  ///< not empty: why the text is not an address

  /// `HOST:PORT`, `[V6]:PORT` or `unix:///PATH`.
  std::string text() const;
  /// The host is a name: connect_to() looks it up, and nothing limits how long that takes.
  bool has_name() const;
};

/// `HOST[:PORT]`, `[V6][:PORT]`, `V6`, each also behind `tcp://`, or `unix:///PATH`. The port is
/// 9501 unless it is named.
ServerAddress parse_address(std::string_view text);

struct Connected {
  int fd = -1;
  int error = 0;      ///< errno, where it was a system call that failed
  std::string fault;  ///< why fd is -1
};

/// Tries the addresses of the name in turn; all share the timeout. The caller owns the socket,
/// which is non-blocking, close-on-exec and, over TCP, has TCP_NODELAY set.
Connected connect_to(const ServerAddress& address, std::chrono::milliseconds timeout);

/// poll() on one descriptor that resumes after EINTR. Negative timeout: without limit. Returns the
/// events, 0 where the time is over.
short poll_one(int fd, short events, std::chrono::milliseconds timeout);

}  // namespace sluice::sdk
