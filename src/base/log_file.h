// The file behind the log: a line is one write, and one that finds no room leaves no half behind
// that a later line would be taken for.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace sluice::log {

class LogFile {
 public:
  /// Opens for appending; makes missing folders.
  static Result<LogFile> open(const std::string& path);
  ~LogFile();
  LogFile(LogFile&& other) noexcept;
  LogFile(const LogFile&) = delete;
  LogFile& operator=(const LogFile&) = delete;
  LogFile& operator=(LogFile&& other) noexcept;

  /// A line with its newline. False: it could not be written whole, and errno says why.
  bool append(std::string_view line) noexcept;

 private:
  explicit LogFile(int fd) noexcept : fd_(fd) {}

  int fd_;
  bool torn_ = false;  // the last line in the file has no end
};

}  // namespace sluice::log
