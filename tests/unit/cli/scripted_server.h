// A loopback server whose behaviour a test writes down as a function over its one connection. It
// runs on a thread of its own, which the destructor joins; reads give up after ten seconds so that
// a failing test ends.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "sluice/client.h"

namespace sluice::test {

/// The server's end of the connection.
class Peer {
 public:
  explicit Peer(int fd) : fd_(fd) {
    const timeval limit{10, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  }
  ~Peer() { ::close(fd_); }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  /// One line, without its newline; empty where the client has gone.
  std::string read_line() {
    for (std::size_t scanned = 0;;) {
      const std::size_t newline = input_.find('\n', scanned);
      if (newline != std::string::npos) {
        std::string line = input_.substr(0, newline);
        input_.erase(0, newline + 1);
        return line;
      }
      scanned = input_.size();
      if (!read_more()) return {};
    }
  }
  /// Reads until this many bytes lie here, newlines and all.
  bool read_bytes(std::size_t count) {
    while (input_.size() < count) {
      if (!read_more()) return false;
    }
    return true;
  }
  void read_to_end() {
    while (read_more())
      input_.clear();
  }
  /// False: the client has gone.
  bool write(std::string_view text) {
    while (!text.empty()) {
      const ssize_t sent = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  /// Closes gracefully: no more replies, and further input is read and dropped.
  void end() {
    ::shutdown(fd_, SHUT_WR);
    read_to_end();
  }
  /// Closing will reset the connection.
  void reset_on_close() {
    const linger now{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  }
  const std::string& input() const { return input_; }

 private:
  bool read_more() {
    std::array<char, 65536> buffer;  // NOLINT: filled by recv
    const ssize_t got = ::recv(fd_, buffer.data(), buffer.size(), 0);
    if (got <= 0) return false;
    input_.append(buffer.data(), static_cast<std::size_t>(got));
    return true;
  }

  int fd_;
  std::string input_;
};

class ScriptedServer {
 public:
  using Script = std::function<void(Peer&)>;

  /// On a loopback port of the kernel's choice. A receive buffer size of 0 is the system's default.
  explicit ScriptedServer(Script script, int receive_buffer = 0) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (receive_buffer > 0) {
      ::setsockopt(listener_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* plain = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener_, plain, size) != 0 || ::getsockname(listener_, plain, &size) != 0) {
      std::abort();
    }
    address_ = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
    start(std::move(script));
  }
  /// On a unix socket; the path must not exist.
  ScriptedServer(const std::string& path, Script script) : path_(path) {
    listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    if (::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      std::abort();
    }
    address_ = "unix://" + path;
    start(std::move(script));
  }
  ~ScriptedServer() {
    ::shutdown(listener_, SHUT_RDWR);  // wakes an accept() without a connection
    thread_.join();
    ::close(listener_);
    if (!path_.empty()) ::unlink(path_.c_str());
  }
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  const std::string& address() const { return address_; }

 private:
  void start(Script script) {
    if (::listen(listener_, 4) != 0) std::abort();
    thread_ = std::thread([this, script = std::move(script)] {
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      Peer peer(fd);
      script(peer);
    });
  }

  int listener_ = -1;
  std::string address_;
  std::string path_;
  std::thread thread_;
};

/// More bytes than a unix socket takes in one direction while the other end does not read.
inline std::size_t more_than_a_socket_holds() {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int size = 0;
  socklen_t length = sizeof size;
  if (::getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, &length) != 0) std::abort();
  ::close(fd);
  return 2 * static_cast<std::size_t>(size);
}

inline Message message_with(std::string payload) {
  Message message;
  message.device_id = 7;
  message.topic = "t";
  message.payload = std::move(payload);
  return message;
}

/// The id member of a request as text, with its quotes where it is a string.
inline std::string id_of(const std::string& request) {
  const std::size_t at = request.find("\"id\":");
  if (at == std::string::npos) return {};
  const std::size_t first = at + 5;
  return request.substr(first, request.find_first_of(",}", first) - first);
}

inline std::string success(const std::string& id) {
  return R"({"code":1,"msg":"ok","id":)" + id + "}\n";
}

inline std::string failure(const std::string& error, const std::string& published,
                           const std::string& more) {
  return R"({"code":2,"msg":"no","error":")" + error + R"(","published":")" + published +
         R"(","detail":"why")" + more + "}\n";
}

/// A unique path for a file, removed when the test ends.
class TemporaryPath {
 public:
  TemporaryPath() {
    std::string pattern = "/tmp/sluice-sdk-XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) std::abort();
    directory_ = pattern;
  }
  ~TemporaryPath() {
    ::unlink(path().c_str());
    ::rmdir(directory_.c_str());
  }
  TemporaryPath(const TemporaryPath&) = delete;
  TemporaryPath& operator=(const TemporaryPath&) = delete;
  std::string path() const { return directory_ + "/s"; }

 private:
  std::string directory_;
};

}  // namespace sluice::test
