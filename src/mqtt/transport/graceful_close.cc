#include "mqtt/transport/graceful_close.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

namespace sluice::mqtt {

void GracefulClose::begin(int fd) {
  fd_ = fd;
  ::shutdown(fd, SHUT_WR);
  watcher_ = std::make_unique<event::FdWatcher>(loop_, fd, bind<&GracefulClose::on_ready>(this));
  watcher_->watch({.readable = true});
}

void GracefulClose::drop() noexcept {
  if (watcher_ != nullptr) watcher_->release();
  loop_.retire(std::move(watcher_));
}

/// One read per turn, so that a peer that keeps sending does not hold up the others. It watches
/// again each time: a reset behind the last bytes stops the watcher.
void GracefulClose::on_ready(event::FdEvents) noexcept {
  std::array<char, 4096> ignored;
  const ssize_t length = ::recv(fd_, ignored.data(), ignored.size(), 0);
  const bool is_for_now = errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
  if (length > 0 || (length < 0 && is_for_now)) {
    watcher_->watch({.readable = true});
    return;
  }
  drop();
  closed_();
}

}  // namespace sluice::mqtt
