#include "event/listener.h"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/log.h"
#include "event/loop.h"

namespace sluice::event {
namespace {

constexpr int kBacklog = 1024;
constexpr int kFastOpenQueue = 256;
constexpr unsigned kKeepAliveSeconds = 60;

/// A descriptor that closes itself unless it is released.
class Descriptor {
 public:
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const noexcept { return fd_; }
  int release() noexcept { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

Error failure(const std::string& name, int error) {
  return Error{fmt::format("cannot listen on {}: {}", name, std::strerror(error))};
}

int set_option(int fd, int level, int option, int value) noexcept {
  return ::setsockopt(fd, level, option, &value, sizeof(value));
}

std::string peer_name(const uv_tcp_t* tcp) {
  sockaddr_storage address{};
  int length = sizeof(address);
  std::array<char, 64> ip{};
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  if (uv_tcp_getpeername(tcp, raw, &length) != 0) return "gone";
  if (uv_ip_name(raw, ip.data(), ip.size()) != 0) return "unknown";
  if (address.ss_family == AF_INET6) {
    return fmt::format("[{}]:{}", ip.data(),
                       ntohs(reinterpret_cast<sockaddr_in6*>(raw)->sin6_port));
  }
  return fmt::format("{}:{}", ip.data(), ntohs(reinterpret_cast<sockaddr_in*>(raw)->sin_port));
}

template <class T>
Handle<uv_stream_s> as_stream(T* handle) noexcept {
  return Handle<uv_stream_s>(reinterpret_cast<uv_stream_t*>(handle));
}

sockaddr_un unix_address(const std::string& path) noexcept {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  return address;
}

/// Removes a socket file that no process listens on; an error if it is in use or something else.
Result<void> remove_stale(const std::string& path, const std::string& name) {
  struct stat found {};
  if (::lstat(path.c_str(), &found) != 0) return {};
  if (!S_ISSOCK(found.st_mode)) {
    return Error{fmt::format("cannot listen on {}: the path exists and is no socket", name)};
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

Result<std::unique_ptr<Listener>> Listener::tcp(Loop& loop, const std::string& host,
                                                std::uint16_t port, TcpOptions options,
                                                Accepted accepted) {
  const bool is_ipv6 = host.find(':') != std::string::npos;
  const std::string name =
      is_ipv6 ? fmt::format("tcp://[{}]:{}", host, port) : fmt::format("tcp://{}:{}", host, port);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  const int status = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (status != 0) {
    return Error{fmt::format("cannot listen on {}: {}", name, ::gai_strerror(status))};
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> address(found, ::freeaddrinfo);
  Descriptor fd(::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd.get() < 0) return failure(name, errno);
  set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  if (options.reuse_port) set_option(fd.get(), SOL_SOCKET, SO_REUSEPORT, 1);
  if (options.fast_open && set_option(fd.get(), IPPROTO_TCP, TCP_FASTOPEN, kFastOpenQueue) != 0) {
    log::warn("{}: TCP Fast Open is not available: {}", name, std::strerror(errno));
  }
  if (::bind(fd.get(), found->ai_addr, found->ai_addrlen) != 0) return failure(name, errno);

  auto* handle = new uv_tcp_t;
  uv_tcp_init(loop.raw(), handle);
  std::unique_ptr<Listener> listener(new Listener(loop, accepted));
  listener->handle_ = as_stream(handle);
  const int opened = uv_tcp_open(handle, fd.get());
  if (opened != 0) return failure(name, -opened);
  fd.release();  // the handle closes it from here on
  if (Result<void> listening = listener->listen(name); !listening) return listening.error();
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

  std::unique_ptr<Listener> listener(new Listener(loop, accepted));
  struct stat made {};
  if (::stat(path.c_str(), &made) == 0) listener->file_ = {path, made.st_dev, made.st_ino};
  auto* handle = new uv_pipe_t;
  uv_pipe_init(loop.raw(), handle, 0);
  listener->handle_ = as_stream(handle);
  const int opened = uv_pipe_open(handle, fd.get());
  if (opened != 0) return failure(name, -opened);
  fd.release();  // the handle closes it from here on
  if (Result<void> listening = listener->listen(name); !listening) return listening.error();
  return listener;
}

Result<void> Listener::listen(const std::string& name) {
  handle_->data = this;
  const int status = uv_listen(handle_.get(), kBacklog, [](uv_stream_t* server, int accepted) {
    if (auto* self = static_cast<Listener*>(server->data)) self->on_connection(accepted);
  });
  if (status != 0) return failure(name, -status);
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
  if (handle_->type != UV_TCP) return 0;
  sockaddr_storage address{};
  int length = sizeof(address);
  uv_tcp_getsockname(reinterpret_cast<const uv_tcp_t*>(handle_.get()),
                     reinterpret_cast<sockaddr*>(&address), &length);
  const auto* in = reinterpret_cast<const sockaddr_in*>(&address);  // same place in sockaddr_in6
  return ntohs(in->sin_port);
}

void Listener::on_connection(int status) noexcept {
  if (status != 0) {
    // Usually no descriptor is free: libuv tries again by itself.
    if (!std::exchange(accept_failed_, true)) {
      log::warn("cannot accept a connection: {}", uv_strerror(status));
    }
    return;
  }
  accept_failed_ = false;
  Handle<uv_stream_s> stream;
  if (handle_->type == UV_TCP) {
    auto* tcp = std::make_unique<uv_tcp_t>().release();
    uv_tcp_init(loop_.raw(), tcp);
    stream = as_stream(tcp);
  } else {
    auto* pipe = std::make_unique<uv_pipe_t>().release();
    uv_pipe_init(loop_.raw(), pipe, 0);
    stream = as_stream(pipe);
  }
  // A connection that is not accepted here would silence the listener for good.
  if (uv_accept(handle_.get(), stream.get()) != 0) return;
  std::string peer = "unix";
  if (stream->type == UV_TCP) {
    auto* tcp = reinterpret_cast<uv_tcp_t*>(stream.get());
    uv_tcp_nodelay(tcp, 1);
    uv_tcp_keepalive(tcp, 1, kKeepAliveSeconds);
    peer = peer_name(tcp);
  }
  accepted_(std::make_unique<Stream>(loop_, std::move(stream), std::move(peer)));
}

}  // namespace sluice::event
