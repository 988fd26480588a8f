// Of the functions defined here those of the C library are replaced, which a header may have given
// bodies of their own.
#undef _FORTIFY_SOURCE

#include "socket_batch.h"

#include <dlfcn.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace sluice::bench {
namespace {

// Used within one turn of one loop, by one connection after the other.
thread_local std::array<char, 16384> read_scratch;
thread_local std::array<char, 65536> write_scratch;
thread_local SocketBatch::Call* current_call = nullptr;
thread_local bool refuses_pairs = false;

ssize_t refuse(int error) noexcept {
  errno = error;
  return -1;
}

/// What the name stands for in the libraries behind this program: the C library, or a sanitizer.
template <class Function>
Function next_of(const char* name) noexcept {
  void* const found = ::dlsym(RTLD_NEXT, name);
  if (found == nullptr) std::abort();  // linked without a C library to be found at run time
  return reinterpret_cast<Function>(found);
}

}  // namespace

/// read() and write() of a library that is being called.
struct SocketCalls {
  static ssize_t read(SocketBatch::Call& call, char* to, std::size_t size) noexcept {
    SocketBatch& batch = call.batch_;
    if (batch.unread_.empty()) {
      if (batch.drained_) return refuse(EAGAIN);
      const ssize_t count = ::recv(call.fd_, read_scratch.data(), read_scratch.size(), 0);
      if (count <= 0) return count;
      batch.unread_ = {read_scratch.data(), static_cast<std::size_t>(count)};
      batch.drained_ = batch.unread_.size() < read_scratch.size();
    }
    const std::size_t taken = batch.unread_.copy(to, size);
    batch.unread_.remove_prefix(taken);
    return static_cast<ssize_t>(taken);
  }

  static ssize_t write(SocketBatch::Call& call, const char* bytes, std::size_t size) noexcept {
    if (size > write_scratch.size() - call.filled_) flush(call);
    SocketBatch& batch = call.batch_;
    if (batch.failure_ != 0) return refuse(batch.failure_);
    if (batch.has_unsent()) return refuse(EAGAIN);
    if (size >= write_scratch.size()) return ::send(call.fd_, bytes, size, MSG_NOSIGNAL);
    std::memcpy(write_scratch.data() + call.filled_, bytes, size);
    call.filled_ += size;
    batch.written_ += size;
    return static_cast<ssize_t>(size);
  }

  static void flush(SocketBatch::Call& call) noexcept {
    const std::size_t filled = std::exchange(call.filled_, 0);
    if (filled > 0) call.batch_.send_or_keep(call.fd_, {write_scratch.data(), filled});
  }

  static bool is_batched(const SocketBatch::Call* call, int fd) noexcept {
    return call != nullptr && call->fd_ == fd && call->mode_ == SocketBatch::Mode::Batched;
  }
  static bool must_wait(const SocketBatch::Call* call, int fd) noexcept {
    return call != nullptr && call->fd_ == fd && call->batch_.has_unsent();
  }
};

SocketBatch::Call::Call(SocketBatch& batch, int fd, Mode mode) noexcept
    : batch_(batch), fd_(fd), mode_(mode) {
  assert(current_call == nullptr);
  if (batch.unread_.empty()) batch.drained_ = false;
  current_call = this;
}

SocketBatch::WithoutWakeUp::WithoutWakeUp() noexcept {
  refuses_pairs = true;
}

SocketBatch::WithoutWakeUp::~WithoutWakeUp() {
  refuses_pairs = false;
}

SocketBatch::Call::~Call() {
  current_call = nullptr;
  SocketCalls::flush(*this);
}

void SocketBatch::send_or_keep(int fd, std::string_view bytes) noexcept {
  const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN && errno != EINTR) {
    failure_ = errno;
    return;
  }
  const std::size_t taken = sent < 0 ? 0 : static_cast<std::size_t>(sent);
  taken_ += taken;
  unsent_ = bytes.substr(taken);
}

void SocketBatch::send(int fd) noexcept {
  if (has_unsent()) send_or_keep(fd, std::exchange(unsent_, {}));
}

void SocketBatch::discard() noexcept {
  unread_ = {};
  unsent_ = {};
}

}  // namespace sluice::bench

extern "C" {

ssize_t read(int fd, void* to, size_t size) {
  using sluice::bench::SocketCalls;
  static const auto next = sluice::bench::next_of<decltype(&read)>("read");
  if (SocketCalls::is_batched(sluice::bench::current_call, fd)) {
    return SocketCalls::read(*sluice::bench::current_call, static_cast<char*>(to), size);
  }
  return next(fd, to, size);
}

ssize_t write(int fd, const void* bytes, size_t size) {
  using sluice::bench::SocketCalls;
  static const auto next = sluice::bench::next_of<decltype(&write)>("write");
  const auto* call = sluice::bench::current_call;
  if (SocketCalls::is_batched(call, fd)) {
    return SocketCalls::write(*sluice::bench::current_call, static_cast<const char*>(bytes), size);
  }
  if (SocketCalls::must_wait(call, fd)) return sluice::bench::refuse(EAGAIN);
  return next(fd, bytes, size);
}

int socketpair(int domain, int type, int protocol, int fds[2]) {
  static const auto next = sluice::bench::next_of<decltype(&socketpair)>("socketpair");
  if (sluice::bench::refuses_pairs) return static_cast<int>(sluice::bench::refuse(EMFILE));
  return next(domain, type, protocol, fds);
}
}
