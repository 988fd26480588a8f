#include "mqtt/transport/connection_io.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
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

/// One call: bytes left in the kernel make the socket readable again.
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

/// One call: a socket that takes only a part is full.
event::Transfer ConnectionIo::write(std::span<const std::string_view> pieces) noexcept {
  if (tls_) return write_records(pieces);
  std::array<iovec, kMostPieces> parts;
  std::size_t all = 0;
  msghdr message{};
  message.msg_iov = parts.data();
  for (const std::string_view piece : pieces.first(std::min(pieces.size(), parts.size()))) {
    // The pointer is const in all but its type.
    parts[message.msg_iovlen++] = {const_cast<char*>(piece.data()), piece.size()};
    all += piece.size();
  }
  const ssize_t count = ::sendmsg(fd_, &message, MSG_NOSIGNAL);
  if (count >= 0) {
    const auto taken = static_cast<std::size_t>(count);
    return {.state = taken == all ? State::Done : State::WaitsWritable, .bytes = taken};
  }
  if (is_for_now(errno)) return {.state = State::WaitsWritable};
  return {.state = State::Failed, .error = errno};
}

/// TLS makes records of at most 16 KiB from each piece, without copying it first.
event::Transfer ConnectionIo::write_records(std::span<const std::string_view> pieces) noexcept {
  std::size_t moved = 0;
  for (const std::string_view piece : pieces) {
    event::Transfer put = tls_->write(piece);
    moved += put.bytes;
    put.bytes = moved;
    if (put.state != State::Done) return put;
  }
  return {.bytes = moved};
}

void ConnectionIo::close_notify() noexcept {
  if (tls_) tls_->close_notify();
}

}  // namespace sluice::mqtt
