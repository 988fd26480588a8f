// A listening socket, TCP or Unix: every connection is accepted at once and handed on as a Stream.
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
  std::string host;        ///< an IP address: a name has to be waited for (Resolver::wait_for)
  std::uint16_t port = 0;  ///< 0: the system chooses one
  std::string name;        ///< `tcp://HOST:PORT`
};

struct TcpOptions {
  bool reuse_port = false;
  bool fast_open = false;
};

/// Owns one bound, listening socket; destroying it closes the socket and removes a Unix socket's
/// file if the file is still its own. Not libuv's listening: where no descriptor is free, that one
/// closes whoever connects without a word, or, where it cannot get its spare descriptor back (a
/// thread that resolves names may have it), tries for ever within one turn. Here they wait.
class Listener {
 public:
  using Accepted = Delegate<void(std::unique_ptr<Stream>)>;

  /// Binds and listens. The error names the address and the reason.
  static Result<std::unique_ptr<Listener>> tcp(Loop& loop, const TcpAddress& address,
                                               TcpOptions options, Accepted accepted);
  /// Binds and listens on a socket file, mode 0660. A file nobody listens on any more is replaced;
  /// one with a live listener, or one that is no socket, is an error.
  static Result<std::unique_ptr<Listener>> unix_socket(Loop& loop, const std::string& path,
                                                       Accepted accepted);

  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  /// Takes all who have connected so far: destroying it would cut them off.
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
  LogThrottle shortage_;  // said once, until all has gone well for a while
};

}  // namespace sluice::event
