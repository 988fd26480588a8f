// How often a costly page may be made anew, whatever HTTP clients ask for.
#pragma once

#include <algorithm>

#include "base/clock.h"

namespace sluice::admin {

/// A few at once, then 100 a second: whoever asks more often is shown the last page again, which is
/// at most 10 ms old then.
class RenderBudget {
 public:
  bool allows(TimePoint now) noexcept {
    if (const auto earned = (now - earned_until_) / kInterval; earned > 0) {
      left_ = static_cast<int>(std::min<Duration::rep>(kBurst, left_ + earned));
      earned_until_ += earned * kInterval;
    }
    if (left_ == 0) return false;
    --left_;
    return true;
  }

 private:
  static constexpr Duration kInterval{10};
  static constexpr int kBurst = 50;

  int left_ = kBurst;
  TimePoint earned_until_{};
};

}  // namespace sluice::admin
