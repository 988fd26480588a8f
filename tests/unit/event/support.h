// Sockets and files of the peer, and a recorder of a stream's events.
#pragma once

#include <sys/resource.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "catch.h"
#include "event/listener.h"
#include "event/loop.h"
#include "event/stream.h"
#include "test_loop.h"

namespace sluice::event {

/// A directory of its own for socket files.
class Folder {
 public:
  Folder();
  ~Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string file(std::string_view name) const { return path_ + "/" + std::string(name); }

 private:
  std::string path_;
};

/// The peer's plain, blocking socket.
class Socket {
 public:
  static Socket tcp(std::uint16_t port);
  static Socket unix_file(const std::string& path);
  /// Bound to the path and listening.
  static Socket listening(const std::string& path);
  explicit Socket(int fd) : fd_(fd) {}
  Socket(Socket&& other) noexcept;
  Socket& operator=(Socket&&) = delete;
  ~Socket() { close(); }

  int fd() const noexcept { return fd_; }
  void send(std::string_view bytes);
  /// The bytes received so far; does not wait.
  std::string receive();
  bool at_end() const noexcept { return at_end_; }
  bool was_reset() const noexcept { return was_reset_; }
  void shut_down();
  void close();
  void reset();

 private:
  int fd_;
  bool at_end_ = false;
  bool was_reset_ = false;
};

/// Uses up all descriptors of this process as long as it exists.
class NoDescriptors {
 public:
  NoDescriptors();
  ~NoDescriptors();
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;

 private:
  rlimit former_{};
};

/// Records a stream's events.
class Recorder final : public StreamHandler {
 public:
  void on_read(std::span<const char> bytes) noexcept override;
  void on_refused(std::string_view) noexcept override { ++refusals; }
  void on_end() noexcept override { ++ends; }
  void on_broken(int) noexcept override { ++breaks; }
  void on_sent() noexcept override { ++sent; }

  std::string received;
  std::size_t largest = 0;  // read
  int refusals = 0;
  int ends = 0;
  int breaks = 0;
  int sent = 0;
};

/// Keeps all streams that a listener accepts.
class Acceptor {
 public:
  void on_accepted(std::unique_ptr<Stream> stream) noexcept {
    streams.push_back(std::move(stream));
  }
  std::vector<std::unique_ptr<Stream>> streams;
};

}  // namespace sluice::event
