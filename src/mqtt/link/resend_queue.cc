#include "mqtt/link/resend_queue.h"

namespace sluice::mqtt {

void ResendQueue::begin_loss() noexcept {
  newer_ = list_.empty() ? nullptr : &list_.front();
}

void ResendQueue::add(Delivery& delivery) noexcept {
  if (newer_ != nullptr) {
    list_.insert_before(delivery, *newer_);
  } else {
    list_.push_back(delivery);
  }
  delivery.move_to(State::Resend);
}

void ResendQueue::remove(Delivery& delivery) noexcept {
  list_.remove(delivery);
}

}  // namespace sluice::mqtt
