// Plain system calls, for their errno: a stream would open a directory and read nothing.
#include "config/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "base/log_file.h"
#include "base/utf8.h"
#include "config/text.h"

namespace sluice::config {
namespace {

Error system_reason() {
  return Error{std::strerror(errno)};
}

Error too_long(std::size_t max_bytes) {
  return Error{fmt::format("longer than {} bytes", max_bytes)};
}

/// An open file, closed with its scope.
class File {
 public:
  // O_NONBLOCK: opening a FIFO must not wait for its writer.
  explicit File(const std::string& path)
      : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  /// Appends what one read() gives. Returns its length, 0 at the end.
  Result<std::size_t> read_some(std::string& into, std::chrono::steady_clock::time_point until) {
    if (fd_ < 0) return system_reason();  // of open()
    std::array<char, 16384> buffer;
    for (;;) {
      const ssize_t length = ::read(fd_, buffer.data(), buffer.size());
      if (length > 0) {
        into.append(buffer.data(), static_cast<std::size_t>(length));
        return static_cast<std::size_t>(length);
      }
      if (length == 0 && into.empty() && is(S_IFIFO)) return Error{"a FIFO without a writer"};
      if (length == 0) return std::size_t{0};
      if (errno == EAGAIN) {
        if (!wait(until)) return Error{"it did not end in time"};
      } else if (errno != EINTR) {
        return system_reason();
      }
    }
  }
  Result<void> check_readable() const {
    struct stat found {};
    if (fd_ < 0 || ::fstat(fd_, &found) != 0) return system_reason();
    char any = 0;
    if (S_ISDIR(found.st_mode)) return Error{std::strerror(EISDIR)};
    if (!S_ISREG(found.st_mode)) return Error{"not a regular file"};
    if (static_cast<std::size_t>(found.st_size) > kMaxFileBytes) return too_long(kMaxFileBytes);
    if (::pread(fd_, &any, 1, 0) < 0) return system_reason();
    return {};
  }

 private:
  bool is(mode_t kind) const noexcept {
    struct stat found {};
    return ::fstat(fd_, &found) == 0 && (found.st_mode & S_IFMT) == kind;
  }
  bool wait(std::chrono::steady_clock::time_point until) const noexcept {
    const auto left = std::chrono::ceil<Duration>(until - std::chrono::steady_clock::now());
    pollfd looked{fd_, POLLIN, 0};
    return left > Duration(0) && ::poll(&looked, 1, static_cast<int>(left.count())) > 0;
  }

  int fd_;
};

}  // namespace

Result<std::string> read_file(const std::string& path, std::size_t max_bytes, Duration patience) {
  const auto until = std::chrono::steady_clock::now() + patience;
  File file(path);
  std::string content;
  for (;;) {
    const auto length = file.read_some(content, until);
    if (!length) return length.error();
    if (content.size() > max_bytes) return too_long(max_bytes);
    if (length.value() == 0) return content;
  }
}

Result<std::string> read_first_line(const std::string& path, std::size_t max_bytes,
                                    Duration patience) {
  const auto until = std::chrono::steady_clock::now() + patience;
  File file(path);
  std::string content;
  std::size_t end = std::string::npos;
  while (end == std::string::npos) {
    const auto length = file.read_some(content, until);
    if (!length) return length.error();
    end = length.value() == 0 ? content.size() : content.find('\n');
    const std::size_t most = max_bytes + (content.size() - without_bom(content).size());
    if (content.size() > most + 2 && end > most + 1)
      return Error{fmt::format("its first line is longer than {} bytes", max_bytes)};
  }
  content.resize(end);
  if (content.ends_with('\r')) content.pop_back();
  return std::string(without_bom(content));
}

Result<void> check_appendable(const std::string& path) {
  if (log::is_descriptor(path)) return {};
  struct stat found {};
  if (::stat(path.c_str(), &found) == 0) {
    if (S_ISDIR(found.st_mode)) return Error{std::strerror(EISDIR)};
    if (::faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS) != 0) return system_reason();
    return {};
  }
  if (errno != ENOENT) return system_reason();
  std::error_code is_no_link;
  const auto target = std::filesystem::read_symlink(path, is_no_link);
  if (!is_no_link)  // what it names would be created
    return check_appendable(std::filesystem::path(path).parent_path() / target);
  const std::size_t slash = path.rfind('/');
  std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  if (::faccessat(AT_FDCWD, folder.c_str(), W_OK | X_OK, AT_EACCESS) == 0) return {};
  const int error = errno;
  if (folder.size() > 1 && folder.ends_with('/')) folder.pop_back();
  if (error == ENOENT) {
    return Error{fmt::format("there is no folder {}; create it for the user that runs sluice",
                             on_one_line(folder))};
  }
  return Error{
      fmt::format("no file can be created in {}: {}", on_one_line(folder), std::strerror(error))};
}

Result<void> check_readable(const std::string& path) {
  return File(path).check_readable();
}

}  // namespace sluice::config
