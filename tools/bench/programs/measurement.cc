// Moves a run from one phase to the next, and counts.
#include "measurement.h"

#include <cmath>

namespace sluice::bench {

void Measurement::begin() {
  began_ = now_ns();
  phase_ = Phase::WarmUp;
  tick(began_);
}

void Measurement::tick(std::int64_t now) {
  const bool nothing_due = report_.answered >= report_.sent;
  if (phase_ == Phase::WarmUp && now >= began_ + nanoseconds(options_.warm_up_seconds)) {
    start_measuring(now);
  } else if (phase_ == Phase::Measuring && options_.messages != 0) {
    // A counted run is measured up to its last reply.
    if (all_sent() && nothing_due) {
      stop_measuring(now);
      phase_ = Phase::Over;
    } else if (all_sent() && now >= give_up_at_) {
      stop_measuring(now);
    }
  } else if (phase_ == Phase::Measuring) {
    if (now >= measuring_since_ + nanoseconds(options_.seconds)) stop_measuring(now);
  } else if (phase_ == Phase::Draining && (nothing_due || now >= give_up_at_)) {
    phase_ = Phase::Over;
  }
}

void Measurement::abandon(std::int64_t now) {
  if (phase_ == Phase::Measuring) stop_measuring(now);
  phase_ = Phase::Over;
}

void Measurement::start_measuring(std::int64_t now) {
  phase_ = Phase::Measuring;
  measuring_since_ = now;
  meter_.start();
}

void Measurement::stop_measuring(std::int64_t now) {
  phase_ = Phase::Draining;
  meter_.stop();
  report_.seconds = static_cast<double>(now - measuring_since_) / 1e9;
  report_.cpu_seconds = meter_.seconds();
  if (options_.messages == 0) give_up_at_ = now + nanoseconds(options_.grace_seconds);
  if (options_.rate > 0 && options_.messages == 0) {
    const double late = static_cast<double>(now - next_due()) / 1e9 * options_.rate;
    report_.unsent = late > 1 ? static_cast<std::uint64_t>(late) : 0;
  }
}

std::int64_t Measurement::next_due() const {
  return began_ + std::llround(static_cast<double>(report_.sent) / options_.rate * 1e9);
}

void Measurement::on_sent() {
  ++report_.sent;
  if (all_sent()) give_up_at_ = now_ns() + nanoseconds(options_.grace_seconds);
}

void Measurement::on_success(std::int64_t since, std::int64_t now) {
  ++report_.answered;
  if (phase_ != Phase::Measuring) return;
  ++report_.ok;
  report_.latency.add(now - since);
}

void Measurement::on_failure(const std::string& error) {
  ++report_.answered;
  ++report_.errors[error];
}

}  // namespace sluice::bench
