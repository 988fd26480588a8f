// One decoded request: what to publish, for which device, and how its reply is to be marked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

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

/// Owns its texts in a single heap block. Move-only; nothing may be read from a moved-from one.
class Request {
 public:
  Request() = default;
  /// Copies the texts into one block: into `spare` if their size fits, else into one of its own.
  /// The other members keep their defaults until set.
  static Request make(std::string_view topic, std::string_view payload, std::string_view id = {},
                      std::string_view token = {}, std::unique_ptr<Properties> properties = nullptr,
                      RequestBlock spare = {});
  /// Gives its block away. Nothing may be read from the request then.
  RequestBlock take_block() && noexcept { return std::move(block_); }

  std::int64_t device_id = 0;
  std::uint32_t timeout_ms = 10000;
  std::uint8_t qos = 1;
  bool retain = false;

  /// A NUL follows it in memory, and it holds none, so that its data() serves as a C string.
  std::string_view topic() const noexcept { return {block_.bytes.get(), topic_size_}; }
  /// Any bytes.
  std::string_view payload() const noexcept { return part(payload_at_, payload_size_); }
  /// JSON text exactly as sent, quotes included; empty: the request has none.
  std::string_view id() const noexcept { return part(id_at_, id_size_); }
  /// Empty: the request has none.
  std::string_view token() const noexcept { return part(token_at_, token_size_); }
  /// Null: the request has none.
  const Properties* properties() const noexcept { return properties_.get(); }

  /// What the request is accounted as: itself, its block and its properties, in bytes.
  std::size_t bytes() const noexcept {
    return sizeof(Request) + topic_size_ + 1 + id_size_ + token_size_ + std::size_t{payload_size_} +
           properties_bytes_;
  }

 private:
  std::string_view part(std::uint32_t at, std::uint32_t size) const noexcept {
    return size == 0 ? std::string_view() : std::string_view(block_.bytes.get() + at, size);
  }

  RequestBlock block_;  // topic, NUL, id, token, payload
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
