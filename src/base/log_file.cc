#include "base/log_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <cstring>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

namespace sluice::log {
namespace {

// O_NONBLOCK: a FIFO or a terminal without a reader, or with a slow one, must not block.
constexpr int kFlags = O_WRONLY | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
/// What one write takes to a terminal that is ready: it may have room for no more than one of its
/// buffers, of 256 bytes, and a newline, which becomes two bytes, asks for a new one.
std::string_view terminal_piece(std::string_view bytes) noexcept {
  if (bytes.starts_with('\n')) return bytes.substr(0, 1);
  return bytes.substr(0, std::min<std::size_t>(bytes.find('\n'), 256));
}

/// The number of the process's own descriptor that the path stands for.
std::optional<int> descriptor_in(std::string_view path) noexcept {
  if (path == "/dev/stdout") return STDOUT_FILENO;
  if (path == "/dev/stderr") return STDERR_FILENO;
  for (const std::string_view folder : {"/dev/fd/", "/proc/self/fd/"}) {
    if (!path.starts_with(folder)) continue;
    int number = 0;
    const char* end = path.data() + path.size();
    const auto [stopped, error] = std::from_chars(path.data() + folder.size(), end, number);
    if (error == std::errc() && stopped == end && number >= 0) return number;
  }
  return std::nullopt;
}

/// Also true where a write would fail at once.
bool is_ready(int fd) noexcept {
  pollfd looked{fd, POLLOUT, 0};
  return ::poll(&looked, 1, 0) > 0;
}

}  // namespace

bool is_descriptor(std::string_view path) noexcept {
  return descriptor_in(path).has_value();
}

Result<LogFile> LogFile::open(const std::string& path) {
  if (const auto number = descriptor_in(path)) {
    if (::fcntl(*number, F_GETFD) >= 0) return of(*number);
    return Error{fmt::format("log file {}: {}", path, std::strerror(errno))};
  }
  const int fd = ::open(path.c_str(), kFlags | O_CREAT, 0666);
  if (fd < 0) {
    const int error = errno;
    std::error_code ignored;
    const bool is_unread = error == ENXIO && std::filesystem::is_fifo(path, ignored);
    const char* why = is_unread ? "a FIFO without a reader" : std::strerror(error);
    return Error{fmt::format("log file {}: {}", path, why)};
  }
  return LogFile(fd, Way::Plain);
}

LogFile LogFile::standard_error() noexcept {
  return of(STDERR_FILENO);
}

LogFile LogFile::of(int inherited) noexcept {
  struct stat found {};
  const mode_t kind = ::fstat(inherited, &found) == 0 ? found.st_mode & S_IFMT : 0;
  if (kind == S_IFIFO || kind == S_IFCHR) {
    // A description of our own: O_NONBLOCK on the shared one would break its other users' writes.
    std::array<char, 32> path{};
    *fmt::format_to_n(path.data(), path.size() - 1, "/proc/self/fd/{}", inherited).out = '\0';
    if (const int own = ::open(path.data(), kFlags); own >= 0) return {own, Way::Plain};
  }
  int copy = ::fcntl(inherited, F_DUPFD_CLOEXEC, 0);
  if (copy < 0 && inherited <= STDERR_FILENO) copy = inherited;  // no descriptor is free
  if (kind == S_IFREG) return {copy, Way::Plain};
  return {copy, kind == S_IFSOCK ? Way::DontWait : Way::PollFirst};
}

LogFile::LogFile(LogFile&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), way_(other.way_), torn_(other.torn_) {}

LogFile& LogFile::operator=(LogFile&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(way_, other.way_);
  std::swap(torn_, other.torn_);
  return *this;
}

LogFile::~LogFile() {
  if (fd_ > STDERR_FILENO) ::close(fd_);
}

bool LogFile::append(std::string_view line) noexcept {
  if (torn_ && write_all("\n") == 0) return false;
  const std::size_t done = write_all(line);
  torn_ = done > 0 && done < line.size();
  return done == line.size();
}

std::ptrdiff_t LogFile::write_some(std::string_view bytes) noexcept {
  switch (way_) {
    case Way::Plain:
      break;
    case Way::DontWait:
      return ::send(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    case Way::PollFirst:
      if (!is_ready(fd_)) {
        errno = EAGAIN;
        return -1;
      }
      // A pipe that is ready has room for PIPE_BUF bytes.
      bytes = ::isatty(fd_) == 1 ? terminal_piece(bytes) : bytes.substr(0, PIPE_BUF);
      break;
  }
  return ::write(fd_, bytes.data(), bytes.size());
}

/// Returns the number of bytes written; if not all, errno says why.
std::size_t LogFile::write_all(std::string_view bytes) noexcept {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const std::ptrdiff_t count = write_some(bytes.substr(done));
    if (count > 0) {
      done += static_cast<std::size_t>(count);
    } else if (count == 0 || errno != EINTR) {
      break;
    }
  }
  return done;
}

}  // namespace sluice::log
