// Where lines go: a file, or a descriptor that the process was started with, such as standard
// error. A write never waits for a reader. After a line that was cut off the next one begins on a
// line of its own.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/error.h"

namespace sluice::log {

/// The path names a descriptor of this process: /dev/stderr, /dev/fd/N and the like.
bool is_descriptor(std::string_view path) noexcept;

class LogFile {
 public:
  /// Opens for appending; creates the file, but no folder. A path that is_descriptor() stands for
  /// that descriptor, also where it is a socket.
  static Result<LogFile> open(const std::string& path);
  static LogFile standard_error() noexcept;
  ~LogFile();
  LogFile(LogFile&& other) noexcept;
  LogFile(const LogFile&) = delete;
  LogFile& operator=(const LogFile&) = delete;
  LogFile& operator=(LogFile&& other) noexcept;

  /// Writes a line that ends in a newline. False: it was not written whole; errno says why. To a
  /// pipe a line of up to PIPE_BUF bytes goes whole or not at all.
  bool append(std::string_view line) noexcept;

 private:
  /// How a write is kept from waiting.
  enum class Way {
    Plain,     // by itself: a file on a disk, or opened by us with O_NONBLOCK
    DontWait,  // a socket: MSG_DONTWAIT
    PollFirst  // shared with other processes, which expect it to block, and not to be reopened
  };
  LogFile(int fd, Way way) noexcept : fd_(fd), way_(way) {}
  /// Takes a descriptor of the process, which stays open and as it is.
  static LogFile of(int inherited) noexcept;
  std::ptrdiff_t write_some(std::string_view bytes) noexcept;
  std::size_t write_all(std::string_view bytes) noexcept;

  int fd_;
  Way way_ = Way::Plain;
  bool torn_ = false;  // the last line in the file has no end
};

}  // namespace sluice::log
