#include "mqtt/transport/connection_io.h"

#include <sys/socket.h>

#include <cerrno>

namespace sluice::mqtt {
namespace {

using State = event::Transfer::State;

bool is_for_now(int error) noexcept {
  return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

}  // namespace

ConnectionIo::ConnectionIo(int fd, void* ssl) noexcept : fd_(fd) {
  if (ssl != nullptr) tls_.emplace(ssl);
}

event::Transfer ConnectionIo::handshake() noexcept {
  return tls_ ? tls_->handshake() : event::Transfer{};
}

/// One call: what it leaves behind makes the socket readable again.
event::Transfer ConnectionIo::read(std::span<char> to) noexcept {
  if (tls_) return tls_->read(to);
  const ssize_t count = ::recv(fd_, to.data(), to.size(), 0);
  if (count > 0) {
    const auto bytes = static_cast<std::size_t>(count);
    return {.state = bytes == to.size() ? State::Done : State::WaitsReadable, .bytes = bytes};
  }
  if (count == 0) return {.state = State::Ended};
  if (is_for_now(errno)) return {.state = State::WaitsReadable};
  return {.state = State::Failed, .error = errno};
}

/// One call: a socket that takes a part is full.
event::Transfer ConnectionIo::write(std::string_view bytes) noexcept {
  if (tls_) return tls_->write(bytes);
  const ssize_t count = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (count >= 0) {
    const auto taken = static_cast<std::size_t>(count);
    return {.state = taken == bytes.size() ? State::Done : State::WaitsWritable, .bytes = taken};
  }
  if (is_for_now(errno)) return {.state = State::WaitsWritable};
  return {.state = State::Failed, .error = errno};
}

void ConnectionIo::close_notify() noexcept {
  if (tls_) tls_->close_notify();
}

}  // namespace sluice::mqtt
