// Two connected sockets within this process: one for what is tested, one for the test.
#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "catch.h"

namespace sluice {

/// Neither end blocks. With SOCK_SEQPACKET what was sent at once is received at once.
class SocketPair {
 public:
  explicit SocketPair(int type = SOCK_STREAM) {
    REQUIRE(::socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends_.data()) == 0);
  }
  ~SocketPair() {
    close_ours();
    close_theirs();
  }
  SocketPair(const SocketPair&) = delete;
  SocketPair& operator=(const SocketPair&) = delete;

  int ours() const { return ends_[0]; }
  void close_ours() { close(ends_[0]); }
  void close_theirs() { close(ends_[1]); }
  /// One receive at the other end; empty: nothing is there.
  std::string receive(std::size_t most = 1 << 20) const {
    std::string bytes(most, '\0');
    const ssize_t count = ::recv(ends_[1], bytes.data(), bytes.size(), 0);
    bytes.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
    return bytes;
  }
  /// All up to the end of the connection, which must have come.
  std::string receive_to_end() const {
    std::string all;
    std::array<char, 64> buffer{};
    while (const ssize_t length = ::recv(ends_[1], buffer.data(), buffer.size(), 0)) {
      REQUIRE(length > 0);
      all.append(buffer.data(), static_cast<std::size_t>(length));
    }
    return all;
  }
  /// From the other end.
  void send(std::string_view bytes) const {
    REQUIRE(::send(ends_[1], bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  }

 private:
  static void close(int& fd) {
    if (fd >= 0) ::close(std::exchange(fd, -1));
  }

  std::array<int, 2> ends_{-1, -1};
};

}  // namespace sluice
