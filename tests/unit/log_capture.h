// What a test makes the log say.
#pragma once

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/log.h"

namespace sluice {

/// While it lives lines of this level and above go to a file of its own, read line by line.
class LogCapture {
 public:
  explicit LogCapture(log::Level level = log::Level::Info) {
    const int fd = ::mkstemp(path_.data());
    if (fd < 0) throw std::runtime_error("cannot make a file");
    ::close(fd);
    if (!log::configure({.level = level, .file = path_})) throw std::runtime_error("no log");
  }
  ~LogCapture() {
    (void)log::configure({});
    std::remove(path_.c_str());
  }
  LogCapture(const LogCapture&) = delete;
  LogCapture& operator=(const LogCapture&) = delete;

  /// Without the time: "warn  broker o2o: gone".
  std::vector<std::string> lines() const {
    std::vector<std::string> lines;
    std::ifstream file(path_);
    for (std::string line; std::getline(file, line);)
      lines.push_back(line.substr(kTimeBytes));
    return lines;
  }
  /// How many lines have this in them.
  int count(const std::string& part) const {
    int found = 0;
    for (const std::string& line : lines())
      found += line.find(part) != std::string::npos ? 1 : 0;
    return found;
  }

 private:
  static constexpr std::size_t kTimeBytes = 24;  // "2026-01-31 23:59:59.999 "

  std::string path_ = "/tmp/sluice-log-XXXXXX";
};

}  // namespace sluice
