#include "base/log_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

namespace sluice::log {
namespace {

/// Returns the number of bytes written; if not all, errno says why.
std::size_t write_all(int fd, std::string_view bytes) noexcept {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t count = ::write(fd, bytes.data() + done, bytes.size() - done);
    if (count > 0) {
      done += static_cast<std::size_t>(count);
    } else if (count == 0 || errno != EINTR) {
      break;
    }
  }
  return done;
}

}  // namespace

Result<LogFile> LogFile::open(const std::string& path) {
  std::error_code ignored;  // if it matters, the file cannot be opened
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
  // O_NONBLOCK: a FIFO without a reader, or with a slow one, must not block.
  const int fd = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666);
  if (fd < 0) {
    const int error = errno;
    const bool is_unread = error == ENXIO && std::filesystem::is_fifo(path, ignored);
    const char* why = is_unread ? "a FIFO without a reader" : std::strerror(error);
    return Error{fmt::format("log file {}: {}", path, why)};
  }
  return LogFile(fd);
}

LogFile::LogFile(LogFile&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), torn_(other.torn_) {}

LogFile& LogFile::operator=(LogFile&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(torn_, other.torn_);
  return *this;
}

LogFile::~LogFile() {
  if (fd_ >= 0) ::close(fd_);
}

bool LogFile::append(std::string_view line) noexcept {
  if (torn_ && write_all(fd_, "\n") == 0) return false;
  const std::size_t done = write_all(fd_, line);
  torn_ = done > 0 && done < line.size();
  return done == line.size();
}

}  // namespace sluice::log
