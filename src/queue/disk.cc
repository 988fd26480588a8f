#include "queue/disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace sluice::queue {
namespace {

constexpr mode_t kOwnerOnly = 0600;
constexpr std::string_view kLockFile = "queue.lock";

/// A descriptor that closes itself.
class File {
 public:
  File(const std::string& path, int flags)
      : fd_(::open(path.c_str(), flags | O_CLOEXEC, kOwnerOnly)) {}
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  explicit operator bool() const noexcept { return fd_ >= 0; }
  int fd() const noexcept { return fd_; }
  int release() noexcept { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

/// The text of a lock file: the number of the process that holds it.
std::string owner_of(int fd) {
  std::array<char, 20> text{};
  const ssize_t length = ::pread(fd, text.data(), text.size(), 0);
  std::string owner(text.data(), length > 0 ? static_cast<std::size_t>(length) : 0);
  if (owner.empty() || owner.find_first_not_of("0123456789") != std::string::npos) return "?";
  return owner;
}

}  // namespace

Folder::~Folder() {
  if (lock_ >= 0) ::close(lock_);
}

std::string Folder::path(std::string_view name) const {
  return fmt::format("{}/{}", folder_, name);
}

Error Folder::error(std::string_view doing, std::string_view name, int code) const {
  return {fmt::format("cannot {} {}: {}", doing, path(name), std::strerror(code))};
}

Result<void> Folder::lock() {
  if (lock_ >= 0) return {};
  File file(path(kLockFile), O_RDWR | O_CREAT);
  if (!file) return error("open", kLockFile, errno);
  if (::flock(file.fd(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return error("lock", kLockFile, errno);
    return Error{fmt::format("{} is used by process {}; each process needs a folder of its own",
                             folder_, owner_of(file.fd()))};
  }
  const std::string self = std::to_string(::getpid());
  // The number is a courtesy: the lock holds without it.
  if (::ftruncate(file.fd(), 0) == 0) (void)!::pwrite(file.fd(), self.data(), self.size(), 0);
  lock_ = file.release();
  return {};
}

Result<void> Folder::create(std::string_view name) {
  if (exists(name)) return {};
  const File file(path(name), O_RDWR | O_CREAT);
  if (!file) return error("create", name, errno);
  return sync();
}

bool Folder::exists(std::string_view name) const {
  return ::access(path(name).c_str(), F_OK) == 0;
}

int Folder::count(std::string_view beginning) const {
  DIR* folder = ::opendir(folder_.c_str());
  if (folder == nullptr) return 0;
  int found = 0;
  while (const dirent* entry = ::readdir(folder))
    found += std::string_view(entry->d_name).starts_with(beginning) ? 1 : 0;
  ::closedir(folder);
  return found;
}

Result<void> Folder::rename(std::string_view from, std::string_view to) {
  if (!exists(from)) return {};
  if (::rename(path(from).c_str(), path(to).c_str()) != 0) return error("rename", from, errno);
  return sync();
}

Result<void> Folder::rewrite(std::string_view name) {
  const std::string fresh = std::string(name).append(".new");
  remove(fresh);  // left by a crash
  if (size(name) == 0) return {};
  const File file(path(name), O_RDWR);
  if (!file) return error("open", name, errno);
  int code = 0;
  {
    const File twin(path(fresh), O_RDWR | O_CREAT);
    code = twin ? copy(file.fd(), twin.fd()) : errno;
  }
  if (code == 0) return rename(fresh, name);
  remove(fresh);
  if (code == ENOSPC || code == EDQUOT) code = copy(file.fd(), file.fd());
  if (code != 0) return error("write", name, code);
  return {};
}

int Folder::copy(int from, int to) noexcept {
  std::array<char, 65536> piece;
  for (off_t at = 0;;) {
    const ssize_t length = ::pread(from, piece.data(), piece.size(), at);
    if (length < 0) return errno;
    if (length == 0) break;
    const ssize_t written = ::pwrite(to, piece.data(), static_cast<std::size_t>(length), at);
    if (written <= 0) return written < 0 ? errno : ENOSPC;
    at += written;
  }
  return ::fsync(to) == 0 ? 0 : errno;
}

Result<void> Folder::allocate(std::string_view name, std::uint64_t bytes) {
  const File file(path(name), O_RDWR | O_CREAT);
  int code = file ? ::posix_fallocate(file.fd(), 0, static_cast<off_t>(bytes)) : errno;
  if (code == 0 && ::fsync(file.fd()) != 0) code = errno;
  if (code == 0) return sync();
  remove(name);
  return error("allocate", name, code);
}

void Folder::remove(std::string_view name) {
  ::unlink(path(name).c_str());
}

std::uint64_t Folder::size(std::string_view name) const {
  struct stat found {};
  return ::stat(path(name).c_str(), &found) == 0 ? static_cast<std::uint64_t>(found.st_size) : 0;
}

std::uint64_t Folder::free_bytes() const {
  struct statvfs found {};
  if (::statvfs(folder_.c_str(), &found) != 0) return 0;
  return static_cast<std::uint64_t>(found.f_bavail) * found.f_frsize;
}

Result<void> Folder::sync() const {
  const File folder(folder_, O_RDONLY | O_DIRECTORY);
  if (!folder || ::fsync(folder.fd()) != 0) return error("sync", "", errno);
  return {};
}

}  // namespace sluice::queue
