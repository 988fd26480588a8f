#include "event/listener.h"

#include <fmt/format.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "base/log.h"
#include "base/plural.h"
#include "event/bound_socket.h"
#include "event/loop.h"
#include "event/socket_stream.h"

namespace sluice::event {
namespace {

constexpr int kBacklog = 1024;
constexpr int kFastOpenQueue = 256;
constexpr unsigned kKeepAliveSeconds = 60;
/// Accept budget per turn.
constexpr unsigned kAcceptsPerTurn = 256;
/// The pause after no descriptor was free.
constexpr Duration kRetryInterval{100};
/// A shortage is over after this long without a failed accept().
constexpr Duration kRecovered = std::chrono::seconds(10);

Error failure(const std::string& name, std::string_view why) {
  return Error{fmt::format("cannot listen on {}: {}", name, why)};
}
Error failure(const std::string& name, int error) {
  return failure(name, std::strerror(error));
}

int set_option(int fd, int level, int option, int value) noexcept {
  return ::setsockopt(fd, level, option, &value, sizeof(value));
}

Peer peer_of(const uv_tcp_t* tcp) {
  sockaddr_storage address{};
  int length = sizeof(address);
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  if (uv_tcp_getpeername(tcp, raw, &length) != 0)
    return {.name = "gone", .is_unix = false, .ip = {}};
  const auto* v4 = reinterpret_cast<const sockaddr_in*>(raw);
  const auto* v6 = reinterpret_cast<const sockaddr_in6*>(raw);
  const bool is_v6 = address.ss_family == AF_INET6;
  const auto* bytes = is_v6 ? reinterpret_cast<const char*>(&v6->sin6_addr)
                            : reinterpret_cast<const char*>(&v4->sin_addr);
  const auto ip = IpAddress::from_bytes({bytes, is_v6 ? IpAddress::kBytes : IpAddress::kV4Bytes});
  return {.name = ip.text_with_port(ntohs(is_v6 ? v6->sin6_port : v4->sin_port)),
          .is_unix = false,
          .ip = ip};
}

template <class T>
Handle<uv_stream_s> as_stream(T* handle) noexcept {
  return Handle<uv_stream_s>(reinterpret_cast<uv_stream_t*>(handle));
}

/// Removes a socket file that no process listens on; an error if it is in use or something else.
Result<void> remove_stale(const std::string& path, const std::string& name) {
  struct stat found {};
  if (::lstat(path.c_str(), &found) != 0) return {};
  if (!S_ISSOCK(found.st_mode)) {
    return failure(name, "the path exists and is not a socket");
  }
  const Descriptor probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const sockaddr_un address = unix_address(path);
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 ||
      errno != ECONNREFUSED) {
    return failure(name, EADDRINUSE);
  }
  if (::unlink(path.c_str()) != 0) return failure(name, errno);
  return {};
}

}  // namespace

Result<std::unique_ptr<Listener>> Listener::tcp(Loop& loop, const TcpAddress& address,
                                                TcpOptions options, Accepted accepted) {
  const std::string& name = address.name;
  Result<BoundSocket> bound = bind_tcp(address.host, address.port, options.reuse_port);
  if (!bound) return failure(name, bound.error().what);
  Descriptor fd = std::move(bound->fd);
  if (options.fast_open && set_option(fd.get(), IPPROTO_TCP, TCP_FASTOPEN, kFastOpenQueue) != 0) {
    log::warn("{}: TCP Fast Open is not available: {}", name, std::strerror(errno));
  }

  std::unique_ptr<Listener> listener(new Listener(loop, name, std::move(fd), accepted));
  if (Result<void> listening = listener->listen(); !listening) return listening.error();
  return listener;
}

Result<std::unique_ptr<Listener>> Listener::unix_socket(Loop& loop, const std::string& path,
                                                        Accepted accepted) {
  const std::string name = "unix://" + path;
  if (Result<void> removed = remove_stale(path, name); !removed) return removed.error();
  Descriptor fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd.get() < 0) return failure(name, errno);
  const sockaddr_un address = unix_address(path);
  // The file must never be open to others, not even between bind and chmod.
  const mode_t former = ::umask(0117);
  const int bound = ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  const int error = errno;
  ::umask(former);
  if (bound != 0) return failure(name, error);

  std::unique_ptr<Listener> listener(new Listener(loop, name, std::move(fd), accepted));
  struct stat made {};
  if (::stat(path.c_str(), &made) != 0) return failure(name, errno);
  listener->file_ = {path, made.st_dev, made.st_ino};
  if (Result<void> listening = listener->listen(); !listening) return listening.error();
  return listener;
}

Listener::Listener(Loop& loop, std::string name, Descriptor fd, Accepted accepted)
    : loop_(loop),
      name_(std::move(name)),
      accepted_(accepted),
      fd_(std::move(fd)),
      watcher_(loop, fd_.get(), bind<&Listener::on_ready>(this)),
      retry_(loop, bind<&Listener::on_retry>(this)),
      shortage_(kRecovered) {}

Result<void> Listener::listen() {
  if (::listen(fd_.get(), kBacklog) != 0) return failure(name_, errno);
  watcher_.watch({.readable = true});
  return {};
}

Listener::~Listener() {
  if (file_.path.empty()) return;
  struct stat found {};
  if (::stat(file_.path.c_str(), &found) == 0 && found.st_dev == file_.device &&
      found.st_ino == file_.inode) {
    ::unlink(file_.path.c_str());
  }
}

std::uint16_t Listener::port() const noexcept {
  if (is_unix()) return 0;
  sockaddr_storage address{};
  socklen_t length = sizeof(address);
  ::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &length);
  const auto* in = reinterpret_cast<const sockaddr_in*>(&address);  // same place in sockaddr_in6
  return ntohs(in->sin_port);
}

void Listener::on_ready(FdEvents) noexcept {
  for (unsigned left = kAcceptsPerTurn; left > 0; --left) {
    Descriptor fd(::accept4(fd_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd.get() >= 0) {
      deliver(std::move(fd));
    } else if (errno != EINTR && errno != ECONNABORTED) {
      back_off(errno);
      return;
    }
  }
}

void Listener::accept_waiting() noexcept {
  for (int left = kBacklog; left > 0; --left) {
    Descriptor fd(::accept4(fd_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd.get() < 0 && errno != EINTR && errno != ECONNABORTED) return;
    if (fd.get() >= 0) deliver(std::move(fd));
  }
}

/// Backlog empty, or no descriptor free: stop accepting and retry later.
void Listener::back_off(int error) noexcept {
  const bool is_done = error == EAGAIN || error == EWOULDBLOCK;
  if (is_done || !has_pending()) return;
  watcher_.watch({});
  retry_.start(kRetryInterval);
  if (shortage_.note(loop_.now())) {
    log::warn("{}: accept: {}; new connections wait in the backlog", name_, std::strerror(error));
  }
}

/// One descriptor that is freed and taken again does not end the shortage.
void Listener::report_recovery() noexcept {
  if (const auto summary = shortage_.look(loop_.now())) {
    const bool is_over = !shortage_.is_going_on();
    log::at(is_over ? log::Level::Info : log::Level::Warn, "{}: {}; {} failed", name_,
            is_over ? "accepting again" : "still out of descriptors",
            plural(summary->more, "more attempt"));
  }
  if (shortage_.is_going_on()) retry_.start(shortage_.due() - loop_.now());
}

/// Without a free descriptor accept() fails even if no connection is pending.
bool Listener::has_pending() const noexcept {
  pollfd ready{.fd = fd_.get(), .events = POLLIN, .revents = 0};
  return ::poll(&ready, 1, 0) > 0;
}

void Listener::on_retry() noexcept {
  watcher_.watch({.readable = true});
  report_recovery();
}

void Listener::deliver(Descriptor fd) noexcept {
  Handle<uv_stream_s> stream = open_stream(std::move(fd));
  if (stream == nullptr) return;
  Peer peer{.name = "unix", .is_unix = true, .ip = {}};
  if (stream->type == UV_TCP) {
    auto* tcp = reinterpret_cast<uv_tcp_t*>(stream.get());
    uv_tcp_nodelay(tcp, 1);
    uv_tcp_keepalive(tcp, 1, kKeepAliveSeconds);
    peer = peer_of(tcp);
  }
  accepted_(std::make_unique<SocketStream>(loop_, std::move(stream), std::move(peer)));
}

Handle<uv_stream_s> Listener::open_stream(Descriptor fd) noexcept {
  Handle<uv_stream_s> stream;
  int opened = 0;
  if (is_unix()) {
    auto* pipe = std::make_unique<uv_pipe_t>().release();
    uv_pipe_init(loop_.raw(), pipe, 0);
    stream = as_stream(pipe);
    opened = uv_pipe_open(pipe, fd.get());
  } else {
    auto* tcp = std::make_unique<uv_tcp_t>().release();
    uv_tcp_init(loop_.raw(), tcp);
    stream = as_stream(tcp);
    opened = uv_tcp_open(tcp, fd.get());
  }
  if (opened != 0) return {};
  fd.release();  // the stream closes it from here on
  return stream;
}

}  // namespace sluice::event
