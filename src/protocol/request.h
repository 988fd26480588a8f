// One decoded request: what to publish, for which device, and the id that its reply repeats.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/block.h"

namespace sluice::protocol {

/// The MQTT 5 properties a request may carry (MQTT 5.0, section 3.3.2.3), checked by the decoder.
struct Properties {
  std::optional<std::string> content_type;
  std::optional<std::string> response_topic;
  std::optional<std::string> correlation_data;  ///< decoded bytes
  std::optional<std::uint32_t> message_expiry_s;
  std::vector<std::pair<std::string, std::string>> user;  ///< as sent: order and repeats are kept
};

/// Memory for the texts of a request.
struct RequestBlock {
  std::unique_ptr<char[]> bytes;
  std::uint32_t capacity = 0;
};

/// Owns its texts in a single heap block; a large payload has a block of its own. Move-only;
/// nothing may be read from a moved-from request.
class Request {
 public:
  /// A payload of this size or more is large.
  static constexpr std::size_t kLargePayload = 16384;

  Request() = default;
  /// Copies the texts into one block, `spare` if it fits. The other members keep their defaults
  /// until set. `around`: the block in which the payload may lie; it is shared instead of copied
  /// from if the payload is large and fills most of it.
  static Request make(std::string_view topic, std::string_view payload, std::string_view id = {},
                      std::string_view token = {}, std::unique_ptr<Properties> properties = nullptr,
                      RequestBlock spare = {}, const Block* around = nullptr);
  /// Gives its block away. Nothing may be read from the request then.
  RequestBlock take_block() && noexcept { return std::move(block_); }

  std::int64_t device_id = 0;
  std::uint32_t timeout_ms = 10000;
  std::uint8_t qos = 1;
  bool retain = false;

  /// Holds no NUL and is followed by one, so that its data() serves as a C string.
  std::string_view topic() const noexcept { return {block_.bytes.get(), topic_size_}; }
  /// Any bytes.
  std::string_view payload() const noexcept {
    return payload_block_ ? std::string_view(payload_block_.data() + payload_at_, payload_size_)
                          : part(payload_at_, payload_size_);
  }
  /// The block of a large payload, to keep it when the request is gone. Empty: it is not large.
  const Block& payload_block() const noexcept { return payload_block_; }
  /// Moves that block out of a finished request.
  Block take_payload_block() noexcept { return std::move(payload_block_); }
  /// JSON text exactly as sent, quotes included; empty: the request has none.
  std::string_view id() const noexcept { return part(id_at_, id_size_); }
  /// Empty: the request has none.
  std::string_view token() const noexcept { return part(token_at_, token_size_); }
  /// Null: the request has none.
  const Properties* properties() const noexcept { return properties_.get(); }

  /// The request's size in bytes for all limits: itself, its texts, a large payload's block and its
  /// properties.
  std::size_t bytes() const noexcept {
    const std::size_t payload = payload_block_ ? payload_block_.capacity() : payload_size_;
    return sizeof(Request) + topic_size_ + 1 + id_size_ + token_size_ + payload + properties_bytes_;
  }

 private:
  std::string_view part(std::uint32_t at, std::uint32_t size) const noexcept {
    return size == 0 ? std::string_view() : std::string_view(block_.bytes.get() + at, size);
  }

  void put_payload_apart(std::string_view payload, const Block* around);

  RequestBlock block_;  // topic, NUL, id, token, and the payload unless it is large
  Block payload_block_;
  std::unique_ptr<Properties> properties_;
  std::uint32_t topic_size_ = 0;
  std::uint32_t id_at_ = 0;
  std::uint32_t id_size_ = 0;
  std::uint32_t token_at_ = 0;
  std::uint32_t token_size_ = 0;
  std::uint32_t payload_at_ = 0;
  std::uint32_t payload_size_ = 0;
  std::uint32_t properties_bytes_ = 0;
};

}  // namespace sluice::protocol
