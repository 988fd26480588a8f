#include "mqtt/transport/ack_batching.h"

#include <sys/socket.h>

namespace sluice::mqtt {
namespace {

/// How long an acknowledgement may wait for others.
constexpr Duration kLongest{3};

}  // namespace

AckBatching::AckBatching(event::Loop& loop, Delegate<bool()> read)
    : read_(read), timer_(loop, bind<&AckBatching::on_timer>(this), event::Lateness::AtOnce) {}

void AckBatching::expect(int fd, std::size_t bytes) noexcept {
  if (bytes == wanted_) return;
  fd_ = fd;
  wanted_ = bytes;
  apply(bytes);
  if (bytes <= 1) {
    timer_.stop();
  } else if (!timer_.is_active()) {
    timer_.start(kLongest);
  }
}

void AckBatching::on_read() noexcept {
  if (wanted_ <= 1) return;
  apply(wanted_);
  timer_.start(kLongest);
}

void AckBatching::forget() noexcept {
  timer_.stop();
  wanted_ = 1;
  applied_ = 1;
}

void AckBatching::on_timer() noexcept {
  if (!read_()) apply(1);
}

void AckBatching::apply(std::size_t bytes) noexcept {
  if (bytes == applied_) return;
  applied_ = bytes;
  const int low_water_mark = static_cast<int>(bytes);
  ::setsockopt(fd_, SOL_SOCKET, SO_RCVLOWAT, &low_water_mark, sizeof(low_water_mark));
}

}  // namespace sluice::mqtt
