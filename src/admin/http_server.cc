#include "admin/http_server.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "admin/microhttpd.h"
#include "event/bound_socket.h"

namespace sluice::admin {
namespace {

// Together with what the process needs for itself they fit the 32 descriptors that the
// documentation sets aside. Further connections wait in the kernel's accept queue.
constexpr unsigned kMaxConnections = 16;
constexpr unsigned kIdleSeconds = 5;
/// Also ends a connection that sends or reads a byte now and then.
constexpr Duration kMaxLifetime = std::chrono::seconds(5);
/// Connections beyond this many live only kCrowdedLifetime, which any probe can keep.
constexpr std::size_t kCrowded = 8;
constexpr Duration kCrowdedLifetime{100};
/// Bounds the kernel's memory for an answer that the peer does not read.
constexpr int kSendBufferBytes = 65536;
/// For the request's line and headers; longer ones are answered 431 or 414.
constexpr std::size_t kMemoryBytes = 16384;

/// The pause after no descriptor was free.
constexpr Duration kRetryInterval{100};

bool is_descriptor_free(int any) noexcept {
  const int copy = ::fcntl(any, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) return false;
  ::close(copy);
  return true;
}

Page page_for(Pages& pages, std::string_view method, std::string_view path) {
  if (method == "GET" || method == "HEAD") return pages.get(path);
  return {.status = MHD_HTTP_METHOD_NOT_ALLOWED, .text = "only GET and HEAD are answered here\n"};
}

}  // namespace

struct HttpCallbacks {
  static MHD_Result on_request(void* self, MHD_Connection* connection, const char* url,
                               const char* method, const char*, const char*,
                               std::size_t* upload_size, void** seen) noexcept {
    // The first call announces the request, the following ones bring its body, which is ignored.
    static char mark;
    if (*seen == nullptr) {
      *seen = &mark;
      return MHD_YES;
    }
    if (*upload_size != 0) {
      *upload_size = 0;
      return MHD_YES;
    }
    return static_cast<HttpServer*>(self)->answer(connection, method, url) ? MHD_YES : MHD_NO;
  }

  static void on_connection(void* self, MHD_Connection* connection, void**,
                            MHD_ConnectionNotificationCode what) noexcept {
    auto* server = static_cast<HttpServer*>(self);
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
      server->on_connected(connection);
    } else {
      server->on_closed(connection);
    }
  }
};

HttpServer::HttpServer(event::Loop& loop, const app::App& app)
    : loop_(loop), pages_(loop, app), timer_(loop, bind<&HttpServer::turn>(this)) {
  timer_.unref();
}

HttpServer::~HttpServer() {
  watcher_.reset();
  if (daemon_ != nullptr) http_->stop_daemon(daemon_);
}

Result<void> HttpServer::listen(const config::Address& address) {
  const auto failure = [&](const char* why) {
    return Error{fmt::format("cannot listen on {} for [admin]: {}", address.text(), why)};
  };
  const Result<const Microhttpd*> library = load_microhttpd();
  if (!library) return failure(library.error().what.c_str());
  http_ = library.value();
  // libmicrohttpd by itself would let another process share the address.
  Result<event::BoundSocket> bound = event::bind_tcp(address.numeric_host(), address.port);
  if (!bound) return failure(bound.error().what.c_str());
  event::Descriptor fd = std::move(bound->fd);
  if (::listen(fd.get(), SOMAXCONN) != 0) return failure(std::strerror(errno));
  unsigned flags = MHD_USE_EPOLL;
  if (bound->is_ipv6) flags |= MHD_USE_IPv6;
  connections_.reserve(kMaxConnections);
  errno = 0;
  daemon_ = http_->start_daemon(
      flags, address.port, nullptr, nullptr, &HttpCallbacks::on_request, this,
      MHD_OPTION_LISTEN_SOCKET, fd.get(),  //
      MHD_OPTION_CONNECTION_LIMIT, kMaxConnections, MHD_OPTION_CONNECTION_TIMEOUT, kIdleSeconds,
      MHD_OPTION_CONNECTION_MEMORY_LIMIT, kMemoryBytes, MHD_OPTION_NOTIFY_CONNECTION,
      &HttpCallbacks::on_connection, this, MHD_OPTION_END);
  if (daemon_ == nullptr) return failure(std::strerror(errno));
  (void)fd.release();  // the daemon's now
  const MHD_DaemonInfo* info = http_->get_daemon_info(daemon_, MHD_DAEMON_INFO_EPOLL_FD);
  watcher_ =
      std::make_unique<event::FdWatcher>(loop_, info->epoll_fd, bind<&HttpServer::on_ready>(this));
  watcher_->watch({.readable = true});
  return {};
}

int HttpServer::descriptor_of(MHD_Connection* connection) const noexcept {
  const MHD_ConnectionInfo* info =
      http_->get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  return info == nullptr ? -1 : info->connect_fd;
}

void HttpServer::on_connected(MHD_Connection* connection) noexcept {
  const int fd = descriptor_of(connection);
  ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &kSendBufferBytes, sizeof kSendBufferBytes);
  connections_.push_back({connection, loop_.now()});
}

void HttpServer::on_closed(MHD_Connection* connection) noexcept {
  place_freed_ = true;
  std::erase_if(connections_, [&](const Connection& known) { return known.handle == connection; });
}

std::size_t HttpServer::open_connections() const noexcept {
  return static_cast<std::size_t>(
      std::count_if(connections_.begin(), connections_.end(),
                    [](const Connection& connection) { return !connection.is_ended; }));
}

/// When the oldest connection's time is over.
TimePoint HttpServer::next_end() const noexcept {
  const Duration lifetime = open_connections() > kCrowded ? kCrowdedLifetime : kMaxLifetime;
  for (const Connection& connection : connections_) {
    if (!connection.is_ended) return connection.accepted + lifetime;
  }
  return TimePoint::max();
}

/// libmicrohttpd times out idle connections only, and those late; others are shut down here.
void HttpServer::end_overdue() noexcept {
  for (Connection& connection : connections_) {
    if (connection.is_ended) continue;
    if (next_end() > loop_.now()) return;
    connection.is_ended = true;
    ::shutdown(descriptor_of(connection.handle), SHUT_RDWR);
  }
}

void HttpServer::turn() noexcept {
  place_freed_ = false;
  watcher_->watch({.readable = true});
  http_->run(daemon_);
  end_overdue();  // not before what came in time was read
  const int any = http_->get_daemon_info(daemon_, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
  if (!is_descriptor_free(any)) {
    // libmicrohttpd would retry accept() in every turn.
    watcher_->watch({});
    timer_.start(kRetryInterval);
    return;
  }
  // At its connection limit libmicrohttpd stops watching its listening socket, and resumes only
  // when a run begins.
  Duration wait = place_freed_ ? Duration(0) : Duration::max();
  MHD_UNSIGNED_LONG_LONG milliseconds = 0;
  if (http_->get_timeout(daemon_, &milliseconds) == MHD_YES) {
    wait = std::min(wait, Duration(static_cast<Duration::rep>(milliseconds)));
  }
  if (const TimePoint end = next_end(); end != TimePoint::max())
    wait = std::min(wait, std::max(Duration(0), end - loop_.now()));
  if (wait == Duration::max()) {
    timer_.stop();
  } else {
    timer_.start(wait);
  }
}

bool HttpServer::answer(MHD_Connection* connection, std::string_view method,
                        std::string_view path) noexcept {
  Page page = page_for(pages_, method, path);
  MHD_Response* response =
      http_->create_response_from_buffer(page.text.size(), page.text.data(), MHD_RESPMEM_MUST_COPY);
  if (response == nullptr) return false;
  http_->add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, page.content_type);
  http_->add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
  // A scraper must not keep one of the few connections until its next scrape.
  http_->add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
  if (page.status == MHD_HTTP_METHOD_NOT_ALLOWED) {
    http_->add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
  }
  const MHD_Result queued = http_->queue_response(connection, page.status, response);
  http_->destroy_response(response);
  return queued == MHD_YES;
}

}  // namespace sluice::admin
