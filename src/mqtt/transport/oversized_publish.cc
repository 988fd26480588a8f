#include "mqtt/transport/oversized_publish.h"

#include <algorithm>

namespace sluice::mqtt {
namespace {

constexpr std::size_t kLengthBytes = 2;
constexpr std::size_t kIdentifierBytes = 2;

}  // namespace

void OversizedPublish::skip(std::string_view& bytes) noexcept {
  while (left_ > 0 && !bytes.empty() && at_ < kLengthBytes + topic_size_ + kIdentifierBytes) {
    take_head(static_cast<std::uint8_t>(bytes.front()));
    bytes.remove_prefix(1);
    ++at_;
    --left_;
  }
  const std::size_t rest = std::min(left_, bytes.size());
  bytes.remove_prefix(rest);
  left_ -= rest;
}

/// The length of the topic, the topic and, above QoS 0, the identifier (MQTT 3.1.1, section 3.3.2).
void OversizedPublish::take_head(std::uint8_t byte) noexcept {
  if (at_ < kLengthBytes) {
    topic_size_ = topic_size_ << 8 | byte;
  } else if (qos_ > 0 && at_ >= kLengthBytes + topic_size_) {
    packet_id_ = static_cast<std::uint16_t>(packet_id_ << 8 | byte);
  }
}

}  // namespace sluice::mqtt
