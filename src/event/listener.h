// A listening socket, TCP or Unix: every connection is accepted at once and handed on as a Stream.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/delegate.h"
#include "base/error.h"
#include "event/handle.h"
#include "event/stream.h"

namespace sluice::event {

class Loop;

struct TcpOptions {
  bool reuse_port = false;
  bool fast_open = false;
};

/// Owns one bound, listening socket; destroying it closes the socket and removes a Unix socket's
/// file if the file is still its own.
class Listener {
 public:
  using Accepted = Delegate<void(std::unique_ptr<Stream>)>;

  /// Binds and listens. `host` is an address or a name (resolved here, so before the loop runs);
  /// port 0 takes a free one. The error names the address and the reason.
  static Result<std::unique_ptr<Listener>> tcp(Loop& loop, const std::string& host,
                                               std::uint16_t port, TcpOptions options,
                                               Accepted accepted);
  /// Binds and listens on a socket file, mode 0660. A file nobody listens on any more is replaced;
  /// one with a live listener, or one that is no socket, is an error.
  static Result<std::unique_ptr<Listener>> unix_socket(Loop& loop, const std::string& path,
                                                       Accepted accepted);

  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  /// The TCP port in use; 0 for a Unix socket.
  std::uint16_t port() const noexcept;

 private:
  struct SocketFile {
    std::string path;
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
  };

  Listener(Loop& loop, Accepted accepted) noexcept : loop_(loop), accepted_(accepted) {}
  Result<void> listen(const std::string& name);
  void on_connection(int status) noexcept;

  Loop& loop_;
  Accepted accepted_;
  Handle<uv_stream_s> handle_;
  SocketFile file_;
  bool accept_failed_ = false;  // said once until an accept succeeds
};

}  // namespace sluice::event
