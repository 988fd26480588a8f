// Plain system calls, for their errno: a stream would open a directory and read nothing.
#include "config/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace sluice::config {
namespace {

/// An open file, closed with its scope.
class File {
 public:
  explicit File(const std::string& path) : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  /// Appends what one read() gives. Returns its length, 0 at the end, -1 on an error (errno).
  ssize_t read_some(std::string& into) const {
    if (fd_ < 0) return -1;  // errno is still that of open()
    std::array<char, 16384> buffer;
    ssize_t length = 0;
    do {
      length = ::read(fd_, buffer.data(), buffer.size());
    } while (length < 0 && errno == EINTR);
    if (length > 0) into.append(buffer.data(), static_cast<std::size_t>(length));
    return length;
  }

 private:
  int fd_;
};

Error system_reason() {
  return Error{std::strerror(errno)};
}

}  // namespace

Result<std::string> read_file(const std::string& path, std::size_t max_bytes) {
  const File file(path);
  std::string content;
  for (;;) {
    const ssize_t length = file.read_some(content);
    if (length < 0) return system_reason();
    if (content.size() > max_bytes) return Error{fmt::format("longer than {} bytes", max_bytes)};
    if (length == 0) return content;
  }
}

Result<std::string> read_first_line(const std::string& path, std::size_t max_bytes) {
  const File file(path);
  std::string content;
  std::size_t end = std::string::npos;
  while (end == std::string::npos) {
    const ssize_t length = file.read_some(content);
    if (length < 0) return system_reason();
    end = length == 0 ? content.size() : content.find('\n');
    if (content.size() > max_bytes + 2 && end > max_bytes + 1)
      return Error{fmt::format("its first line is longer than {} bytes", max_bytes)};
  }
  content.resize(end);
  if (content.ends_with('\r')) content.pop_back();
  return content;
}

Result<void> check_readable(const std::string& path) {
  std::string ignored;
  if (File(path).read_some(ignored) < 0) return system_reason();
  return {};
}

}  // namespace sluice::config
