#include "mqtt/link/poison_detector.h"

namespace sluice::mqtt {
namespace {

constexpr std::uint8_t kStrikesToIsolate = 2;
constexpr std::uint8_t kStrikesToReject = 2;

}  // namespace

void PoisonDetector::begin_loss(InFlight& lost) noexcept {
  lost_ = lost.size();
  oldest_ = lost.is_empty() || lost.oldest().is_abandoned() ? nullptr : &lost.oldest();
}

void PoisonDetector::note_disconnect(int reason_code) noexcept {
  if (lost_ == 0) {
    clear();
    return;
  }
  if (oldest_ == nullptr) return;
  oldest_->strike_code = reason_code;
  if (one_at_a_time_ && lost_ == 1) {
    ++oldest_->strikes_alone;
  } else if (++oldest_->strikes_as_oldest >= kStrikesToIsolate) {
    one_at_a_time_ = true;
  }
}

void PoisonDetector::clear() noexcept {
  one_at_a_time_ = false;
  for (Delivery* delivery = queue_.is_empty() ? nullptr : &queue_.front(); delivery != nullptr;
       delivery = queue_.next(*delivery)) {
    delivery->strikes_as_oldest = 0;
    delivery->strikes_alone = 0;
  }
}

bool PoisonDetector::may_send(Duration connected_for, std::size_t in_flight) const noexcept {
  return !one_at_a_time_ || (in_flight == 0 && connected_for >= kTestDelay);
}

bool PoisonDetector::is_poison(const Delivery& delivery) noexcept {
  return delivery.strikes_alone >= kStrikesToReject;
}

void PoisonDetector::note_left(std::size_t in_flight) noexcept {
  if (in_flight == 0 && queue_.is_empty()) one_at_a_time_ = false;
}

}  // namespace sluice::mqtt
