// The HTTP interface for operators and orchestrators, on the same loop as everything else.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/error.h"
#include "bridge/bridge.h"
#include "config/config.h"
#include "event/fd_watcher.h"
#include "event/loop.h"
#include "event/timer.h"

struct MHD_Daemon;
struct MHD_Connection;

namespace sluice::admin {

/// Answers `/healthz` (200 while the loop turns) and `/readyz` (200 when every broker has a
/// connection, else 503 with the names of those that have none; 503 while stopping). Not
/// thread-safe. libmicrohttpd keeps its sockets in an epoll descriptor of its own, which the loop
/// watches: no thread starts.
class HttpServer {
 public:
  HttpServer(event::Loop& loop, const bridge::Bridge& bridge);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// Binds and listens; the error names the address and the reason.
  Result<void> listen(const config::Address& address);

 private:
  friend struct HttpCallbacks;
  int answer(MHD_Connection* connection, std::string_view method, std::string_view path) noexcept;
  void turn() noexcept;
  void on_ready(event::FdEvents) noexcept { turn(); }

  const bridge::Bridge& bridge_;
  event::Loop& loop_;
  event::Timer timer_;  // libmicrohttpd's own time-outs
  MHD_Daemon* daemon_ = nullptr;
  std::unique_ptr<event::FdWatcher> watcher_;
};

}  // namespace sluice::admin
