#include "admin/http_server.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <microhttpd.h>
#include <netdb.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace sluice::admin {
namespace {

constexpr unsigned kMaxConnections = 64;
constexpr unsigned kConnectionTimeoutSeconds = 10;
/// How soon it is tried again where no descriptor was free.
constexpr Duration kRest{100};

bool is_descriptor_free(int any) noexcept {
  const int copy = ::fcntl(any, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) return false;
  ::close(copy);
  return true;
}

struct Page {
  unsigned status = MHD_HTTP_OK;
  std::string text;
};

Page readiness(const bridge::Bridge& bridge) {
  if (bridge.is_stopping()) return {MHD_HTTP_SERVICE_UNAVAILABLE, "not ready: stopping\n"};
  const std::vector<std::string> missing = bridge.unconnected_brokers();
  if (missing.empty()) return {MHD_HTTP_OK, "ready\n"};
  return {MHD_HTTP_SERVICE_UNAVAILABLE,
          fmt::format("not ready: no connection to broker {}\n", fmt::join(missing, ", "))};
}

Page page_for(const bridge::Bridge& bridge, std::string_view method, std::string_view path) {
  if (method != "GET" && method != "HEAD") {
    return {MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD are answered here\n"};
  }
  if (path == "/healthz") return {MHD_HTTP_OK, "ok\n"};
  if (path == "/readyz") return readiness(bridge);
  return {MHD_HTTP_NOT_FOUND, "there are /healthz and /readyz\n"};
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
    const int queued = static_cast<HttpServer*>(self)->answer(connection, method, url);
    return queued == MHD_YES ? MHD_YES : MHD_NO;
  }
};

HttpServer::HttpServer(event::Loop& loop, const bridge::Bridge& bridge)
    : bridge_(bridge), loop_(loop), timer_(loop, bind<&HttpServer::turn>(this)) {
  timer_.unref();
}

HttpServer::~HttpServer() {
  watcher_.reset();
  if (daemon_ != nullptr) MHD_stop_daemon(daemon_);
}

Result<void> HttpServer::listen(const config::Address& address) {
  const auto failure = [&](const char* why) {
    return Error{fmt::format("cannot listen on {} for [admin]: {}", address.text(), why)};
  };
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(address.port);
  const int status = ::getaddrinfo(address.host.c_str(), port.c_str(), &hints, &found);
  if (status != 0) return failure(::gai_strerror(status));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owned(found, ::freeaddrinfo);
  unsigned flags = MHD_USE_EPOLL;
  if (found->ai_family == AF_INET6) flags |= MHD_USE_IPv6;
  errno = 0;
  daemon_ = MHD_start_daemon(flags, address.port, nullptr, nullptr, &HttpCallbacks::on_request,
                             this, MHD_OPTION_SOCK_ADDR, found->ai_addr,  //
                             MHD_OPTION_CONNECTION_LIMIT, kMaxConnections,
                             MHD_OPTION_CONNECTION_TIMEOUT, kConnectionTimeoutSeconds,
                             MHD_OPTION_LISTENING_ADDRESS_REUSE, 1u, MHD_OPTION_END);
  if (daemon_ == nullptr) return failure(std::strerror(errno));
  const MHD_DaemonInfo* info = MHD_get_daemon_info(daemon_, MHD_DAEMON_INFO_EPOLL_FD);
  watcher_ =
      std::make_unique<event::FdWatcher>(loop_, info->epoll_fd, bind<&HttpServer::on_ready>(this));
  watcher_->watch({.readable = true});
  return {};
}

void HttpServer::turn() noexcept {
  watcher_->watch({.readable = true});
  MHD_run(daemon_);
  const int any = MHD_get_daemon_info(daemon_, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
  if (!is_descriptor_free(any)) {
    // libmicrohttpd would try to accept whoever waits in every turn, for ever.
    watcher_->watch({});
    timer_.start(kRest);
    return;
  }
  MHD_UNSIGNED_LONG_LONG milliseconds = 0;
  if (MHD_get_timeout(daemon_, &milliseconds) == MHD_YES) {
    timer_.start(Duration(static_cast<Duration::rep>(milliseconds)));
  } else {
    timer_.stop();
  }
}

int HttpServer::answer(MHD_Connection* connection, std::string_view method,
                       std::string_view path) noexcept {
  Page page = page_for(bridge_, method, path);
  MHD_Response* response =
      MHD_create_response_from_buffer(page.text.size(), page.text.data(), MHD_RESPMEM_MUST_COPY);
  if (response == nullptr) return MHD_NO;
  MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/plain; charset=utf-8");
  MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
  const MHD_Result queued = MHD_queue_response(connection, page.status, response);
  MHD_destroy_response(response);
  return queued;
}

}  // namespace sluice::admin
