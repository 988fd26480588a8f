// Both ends of a TCP connection over loopback, and what the kernel says of an end.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "catch.h"

namespace sluice::mqtt {

/// Segments sent from here that the other side's kernel has not acknowledged.
inline unsigned unacknowledged_segments(int fd) {
  tcp_info info{};
  socklen_t size = sizeof(info);
  REQUIRE(::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0);
  return info.tcpi_unacked;
}

/// So many bytes make it readable.
inline int low_water_mark(int fd) {
  int bytes = 0;
  socklen_t size = sizeof(bytes);
  REQUIRE(::getsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, &size) == 0);
  return bytes;
}

class TcpPair {
 public:
  TcpPair() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* raw = reinterpret_cast<sockaddr*>(&address);
    socklen_t size = sizeof(address);
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(::bind(listener, raw, size) == 0);
    REQUIRE(::listen(listener, 1) == 0);
    REQUIRE(::getsockname(listener, raw, &size) == 0);
    ours_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(::connect(ours_, raw, size) == 0);
    broker_ = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    REQUIRE(broker_ >= 0);
    ::close(listener);
  }
  ~TcpPair() {
    ::close(ours_);
    ::close(broker_);
  }
  TcpPair(const TcpPair&) = delete;
  TcpPair& operator=(const TcpPair&) = delete;

  int ours() const { return ours_; }
  int broker() const { return broker_; }

 private:
  int ours_ = -1;
  int broker_ = -1;
};

}  // namespace sluice::mqtt
