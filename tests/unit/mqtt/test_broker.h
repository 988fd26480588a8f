// A broker's end of one TCP connection, which the test controls: it accepts, reads and sends only
// when called. The test makes the packets, with the codec of mqtt_wire.h.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "catch.h"
#include "mqtt_wire.h"

namespace sluice::mqtt {

/// This many bytes make it readable.
inline int low_water_mark(int fd) {
  int bytes = 0;
  socklen_t size = sizeof(bytes);
  REQUIRE(::getsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, &size) == 0);
  return bytes;
}

/// The types of the whole packets at the front of `input`.
inline std::vector<wire::Type> packet_types(std::string_view input) {
  std::vector<wire::Type> types;
  wire::Packet packet;
  for (std::size_t used = 0; wire::cut_packet(input, packet, used) == wire::Cut::Whole;
       input.remove_prefix(used))
    types.push_back(packet.type);
  return types;
}

/// The payloads of the PUBLISH packets among these.
inline std::vector<std::string> payloads_of(std::string_view input) {
  std::vector<std::string> payloads;
  wire::Packet packet;
  for (std::size_t used = 0; wire::cut_packet(input, packet, used) == wire::Cut::Whole;
       input.remove_prefix(used)) {
    if (packet.type == wire::Type::Publish)
      payloads.emplace_back(wire::parse_publish(packet, true).value().payload);
  }
  return payloads;
}

/// No two stretches of it are alike, nor two with different seeds.
inline std::string long_payload(std::size_t size, int seed) {
  std::string payload;
  for (std::size_t i = 0; payload.size() < size; ++i)
    payload += std::to_string(seed) + '.' + std::to_string(i) + ' ';
  payload.resize(size);
  return payload;
}

/// Listens on a loopback port of the kernel's choice and accepts one connection. Never blocks.
class TestBroker {
 public:
  TestBroker() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    socklen_t size = sizeof(address_);
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* raw = reinterpret_cast<sockaddr*>(&address_);
    const int small = 65536;  // both are inherited by the accepted socket
    const int on = 1;         // without waiting for TCP acknowledgements
    ::setsockopt(listener_, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    ::setsockopt(listener_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    REQUIRE(::bind(listener_, raw, size) == 0);
    REQUIRE(::listen(listener_, 1) == 0);
    REQUIRE(::getsockname(listener_, raw, &size) == 0);
  }
  ~TestBroker() {
    stop_listening();
    close();
  }
  TestBroker(const TestBroker&) = delete;
  TestBroker& operator=(const TestBroker&) = delete;

  std::uint16_t port() const { return ntohs(address_.sin_port); }
  const sockaddr_in& address() const { return address_; }

  bool accept() {
    if (fd_ < 0) fd_ = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    return fd_ >= 0;
  }
  /// Appends all available bytes to input(); false at the end of the connection.
  bool read() {
    std::vector<char> piece(1 << 16);
    ssize_t count = 0;
    while ((count = ::recv(fd_, piece.data(), piece.size(), 0)) > 0)
      input_.append(piece.data(), static_cast<std::size_t>(count));
    return count < 0;
  }
  void send(std::string_view bytes) const {
    REQUIRE(::send(fd_, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  }
  /// False: there is no room.
  bool try_send(std::string_view bytes) const {
    return ::send(fd_, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size());
  }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  /// Resets the connection: later writes to it fail.
  void reset() {
    const linger now{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    close();
  }
  void stop_listening() {
    if (listener_ >= 0) ::close(std::exchange(listener_, -1));
  }

  /// The peer's socket, if it is in this process.
  int peer() const {
    for (int fd = 3; fd < 100; ++fd) {
      sockaddr_in peer{};
      socklen_t size = sizeof(peer);
      const bool is_connected = ::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) == 0;
      if (is_connected && ntohs(peer.sin_port) == port()) return fd;
    }
    FAIL("no socket");
    return -1;
  }

  /// All bytes read so far.
  const std::string& input() const { return input_; }
  /// The number of whole packets of this type read so far.
  std::size_t count(wire::Type type) const {
    const auto types = packet_types(input_);
    return static_cast<std::size_t>(std::count(types.begin(), types.end(), type));
  }
  /// Segments sent from here that the other side's kernel has not acknowledged.
  unsigned unacknowledged() const {
    tcp_info info{};
    socklen_t size = sizeof(info);
    REQUIRE(::getsockopt(fd_, IPPROTO_TCP, TCP_INFO, &info, &size) == 0);
    return info.tcpi_unacked;
  }

 private:
  int listener_;
  int fd_ = -1;
  sockaddr_in address_{};
  std::string input_;
};

/// A plain socket, connected to a broker that has accepted it.
class Connected {
 public:
  Connected() {
    const auto* raw = reinterpret_cast<const sockaddr*>(&broker.address());
    REQUIRE(::connect(fd_, raw, sizeof(sockaddr_in)) == 0);
    REQUIRE(broker.accept());
  }
  ~Connected() { ::close(fd_); }
  Connected(const Connected&) = delete;
  Connected& operator=(const Connected&) = delete;

  int fd() const { return fd_; }

  TestBroker broker;

 private:
  int fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
};

}  // namespace sluice::mqtt
