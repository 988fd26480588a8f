// Accepts connections on a TCP or Unix socket and delivers each as a Stream.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/delegate.h"
#include "base/error.h"
#include "base/log_throttle.h"
#include "event/descriptor.h"
#include "event/fd_watcher.h"
#include "event/handle.h"
#include "event/stream.h"
#include "event/timer.h"

namespace sluice::event {

class Loop;

/// What to bind to, and what to call it in messages.
struct TcpAddress {
  std::string host;        ///< an IP address: names are resolved beforehand (Resolver::wait_for)
  std::uint16_t port = 0;  ///< 0: the system chooses one
  std::string name;        ///< `tcp://HOST:PORT`
};

struct TcpOptions {
  bool reuse_port = false;
  bool fast_open = false;
};

/// Owns one bound, listening socket; destroying it closes the socket and removes a Unix socket's
/// file if the file is still its own. On EMFILE libuv's listener drops the connection, or spins if
/// its reserved descriptor is taken. This one stops accepting and retries; connections wait in the
/// backlog.
class Listener {
 public:
  using Accepted = Delegate<void(std::unique_ptr<Stream>)>;

  /// Binds and listens. The error names the address and the reason.
  static Result<std::unique_ptr<Listener>> tcp(Loop& loop, const TcpAddress& address,
                                               TcpOptions options, Accepted accepted);
  /// Binds and listens on a socket file, mode 0660. A stale socket file is replaced; one in
  /// use, or a file that is not a socket, is an error.
  static Result<std::unique_ptr<Listener>> unix_socket(Loop& loop, const std::string& path,
                                                       Accepted accepted);

  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  /// Accepts all pending connections: closing the socket would reset them.
  void accept_waiting() noexcept;
  /// The TCP port in use; 0 for a Unix socket.
  std::uint16_t port() const noexcept;

 private:
  struct SocketFile {
    std::string path;
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
  };

  Listener(Loop& loop, std::string name, Descriptor fd, Accepted accepted);
  Result<void> listen();
  bool is_unix() const noexcept { return !file_.path.empty(); }
  bool has_pending() const noexcept;
  void on_ready(FdEvents events) noexcept;
  void on_retry() noexcept;
  void back_off(int error) noexcept;
  void report_recovery() noexcept;
  void deliver(Descriptor fd) noexcept;
  Handle<uv_stream_s> open_stream(Descriptor fd) noexcept;

  Loop& loop_;
  const std::string name_;
  Accepted accepted_;
  SocketFile file_;
  Descriptor fd_;
  FdWatcher watcher_;  // destroyed before its descriptor
  Timer retry_;
  LogThrottle shortage_;  // of descriptors; one line each
};

}  // namespace sluice::event
