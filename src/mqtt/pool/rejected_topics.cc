#include "mqtt/pool/rejected_topics.h"

#include <algorithm>

namespace sluice::mqtt {

void RejectedTopics::drop_old(TimePoint now) noexcept {
  const auto is_over = [now](const Entry& entry) { return entry.until <= now; };
  entries_.erase(entries_.begin(), std::find_if_not(entries_.begin(), entries_.end(), is_over));
}

void RejectedTopics::add(std::int64_t device, std::string_view topic, int reason_code,
                         TimePoint now) {
  drop_old(now);
  if (entries_.size() == kMost) entries_.erase(entries_.begin());
  entries_.push_back({device, std::string(topic), reason_code, now + kKept});
}

int RejectedTopics::find(std::int64_t device, std::string_view topic, TimePoint now) noexcept {
  if (entries_.empty()) return -1;
  drop_old(now);
  const auto is_same = [&](const Entry& entry) {
    return entry.device == device && entry.topic == topic;
  };
  const auto found = std::find_if(entries_.begin(), entries_.end(), is_same);
  return found == entries_.end() ? -1 : found->reason_code;
}

}  // namespace sluice::mqtt
