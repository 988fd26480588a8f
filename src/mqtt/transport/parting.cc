#include "mqtt/transport/parting.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

namespace sluice::mqtt {

void Parting::hold(int fd) noexcept {
  socket_ = event::Descriptor(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
}

bool Parting::begin() {
  if (socket_.get() < 0) return false;
  ::shutdown(socket_.get(), SHUT_WR);
  watcher_ =
      std::make_unique<event::FdWatcher>(loop_, socket_.get(), bind<&Parting::on_ready>(this));
  watcher_->watch({.readable = true});
  return true;
}

void Parting::drop() noexcept {
  if (watcher_ != nullptr) watcher_->release();
  loop_.retire(std::move(watcher_));
  socket_ = event::Descriptor(-1);
}

void Parting::on_ready(event::FdEvents) noexcept {
  std::array<char, 4096> ignored;
  ssize_t length = 0;
  do {
    length = ::read(socket_.get(), ignored.data(), ignored.size());
  } while (length > 0 || (length < 0 && errno == EINTR));
  if (length < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
  drop();
  over_();
}

}  // namespace sluice::mqtt
