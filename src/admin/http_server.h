// The HTTP interface for operators and orchestrators, on the same loop as everything else.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "admin/pages.h"
#include "app/app.h"
#include "base/error.h"
#include "config/config.h"
#include "event/fd_watcher.h"
#include "event/loop.h"
#include "event/timer.h"

struct MHD_Daemon;
struct MHD_Connection;

namespace sluice::admin {

struct Microhttpd;

/// Answers GET and HEAD with what Pages has. Not thread-safe. libmicrohttpd keeps its sockets in an
/// epoll descriptor of its own, which the loop watches: no thread starts. A connection carries one
/// request and lives at most 5 s. Of 16 places half stay free: beyond 8 connections the oldest ones
/// live 100 ms, so that a liveness probe is answered however many of them do not ask.
class HttpServer {
 public:
  HttpServer(event::Loop& loop, const app::App& app);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// Binds and listens; the error names the address and the reason.
  Result<void> listen(const config::Address& address);

 private:
  friend struct HttpCallbacks;

  /// An accepted connection, until libmicrohttpd has closed it.
  struct Connection {
    MHD_Connection* handle;
    TimePoint accepted;
    bool is_ended = false;  // shut down here
  };

  void on_connected(MHD_Connection* connection) noexcept;
  void on_closed(MHD_Connection* connection) noexcept;
  bool answer(MHD_Connection* connection, std::string_view method, std::string_view path) noexcept;
  void turn() noexcept;
  void end_overdue() noexcept;
  std::size_t open_connections() const noexcept;
  TimePoint next_end() const noexcept;
  int descriptor_of(MHD_Connection* connection) const noexcept;
  void on_ready(event::FdEvents) noexcept { turn(); }

  event::Loop& loop_;
  Pages pages_;
  event::Timer timer_;  // libmicrohttpd's own time-outs, and the end of overdue connections
  std::vector<Connection> connections_;  // oldest first
  bool place_freed_ = false;             // since the latest MHD_run() began
  const Microhttpd* http_ = nullptr;     // once it listens
  MHD_Daemon* daemon_ = nullptr;
  std::unique_ptr<event::FdWatcher> watcher_;
};

}  // namespace sluice::admin
