// Both ends of a TCP connection over loopback.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "catch.h"

namespace sluice::mqtt {

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
