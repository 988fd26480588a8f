#include "support.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <utility>

#include "event/bound_socket.h"

namespace sluice::event {
namespace {

int new_socket(int family) {
  const int fd = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) throw std::runtime_error("cannot make a socket");
  return fd;
}

void require(int status) {
  if (status != 0) throw std::runtime_error("a socket call of the test failed");
}

}  // namespace

Folder::Folder() {
  std::string name = "/tmp/sluice-event-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make a directory");
  path_ = name;
}

Folder::~Folder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

NoDescriptors::NoDescriptors() {
  ::getrlimit(RLIMIT_NOFILE, &former_);
  const int lowest = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  const rlimit low{static_cast<rlim_t>(lowest), former_.rlim_max};
  ::close(lowest);
  ::setrlimit(RLIMIT_NOFILE, &low);
}

NoDescriptors::~NoDescriptors() {
  ::setrlimit(RLIMIT_NOFILE, &former_);
}

Socket Socket::tcp(std::uint16_t port) {
  Socket socket(new_socket(AF_INET));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  require(::connect(socket.fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)));
  return socket;
}

Socket Socket::unix_file(const std::string& path) {
  Socket socket(new_socket(AF_UNIX));
  const sockaddr_un address = unix_address(path);
  require(::connect(socket.fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)));
  return socket;
}

Socket Socket::listening(const std::string& path) {
  Socket socket(new_socket(AF_UNIX));
  const sockaddr_un address = unix_address(path);
  require(::bind(socket.fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)));
  require(::listen(socket.fd_, 1));
  return socket;
}

Socket::Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

void Socket::send(std::string_view bytes) {
  const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (sent != static_cast<ssize_t>(bytes.size())) throw std::runtime_error("cannot send");
}

std::string Socket::receive() {
  std::string received;
  std::array<char, 65536> buffer{};
  while (!at_end_ && !was_reset_) {
    const ssize_t count = ::recv(fd_, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (count > 0) {
      received.append(buffer.data(), static_cast<std::size_t>(count));
    } else if (count == 0) {
      at_end_ = true;
    } else if (errno == ECONNRESET) {
      was_reset_ = true;
    } else {
      break;
    }
  }
  return received;
}

void Socket::shut_down() {
  ::shutdown(fd_, SHUT_WR);
}

void Socket::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

void Socket::reset() {
  const linger at_once{1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  close();
}

void Recorder::on_read(std::span<const char> bytes) noexcept {
  received.append(bytes.data(), bytes.size());
  largest = std::max(largest, bytes.size());
}

}  // namespace sluice::event
