// The log's file. A line is one write(); after one that was cut off the next line begins on a line
// of its own.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace sluice::log {

class LogFile {
 public:
  /// Opens for appending; creates missing directories.
  static Result<LogFile> open(const std::string& path);
  ~LogFile();
  LogFile(LogFile&& other) noexcept;
  LogFile(const LogFile&) = delete;
  LogFile& operator=(const LogFile&) = delete;
  LogFile& operator=(LogFile&& other) noexcept;

  /// Writes a line that ends in a newline. False: it was not written whole; errno says why.
  bool append(std::string_view line) noexcept;

 private:
  explicit LogFile(int fd) noexcept : fd_(fd) {}

  int fd_;
  bool torn_ = false;  // the last line in the file has no end
};

}  // namespace sluice::log
