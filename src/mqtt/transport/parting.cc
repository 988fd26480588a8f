#include "mqtt/transport/parting.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

namespace sluice::mqtt {

void Parting::begin(int fd) {
  fd_ = fd;
  ::shutdown(fd, SHUT_WR);
  watcher_ = std::make_unique<event::FdWatcher>(loop_, fd, bind<&Parting::on_ready>(this));
  watcher_->watch({.readable = true});
}

void Parting::drop() noexcept {
  if (watcher_ != nullptr) watcher_->release();
  loop_.retire(std::move(watcher_));
}

/// One read a turn: a peer that does not close but sends must not hold up the others.
void Parting::on_ready(event::FdEvents) noexcept {
  std::array<char, 4096> ignored;
  const ssize_t length = ::recv(fd_, ignored.data(), ignored.size(), 0);
  if (length > 0) return;
  if (length < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return;
  drop();
  over_();
}

}  // namespace sluice::mqtt
