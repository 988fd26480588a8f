// A PUBLISH above the limit: passed over byte by byte, so that it can be acknowledged all the same.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sluice::mqtt {

/// Holds nothing of the packet but its packet identifier. Only for MQTT 3.1.1, in which a client
/// cannot announce a limit.
class OversizedPublish {
 public:
  OversizedPublish() = default;
  /// `body`: how many bytes follow the fixed header.
  OversizedPublish(std::uint8_t qos, std::size_t body) noexcept : qos_(qos), left_(body) {}

  /// Drops what belongs to the packet from the front of `bytes`.
  void skip(std::string_view& bytes) noexcept;
  bool is_under_way() const noexcept { return left_ > 0; }

  std::uint8_t qos() const noexcept { return qos_; }
  /// 0 for QoS 0, and where the packet ended before it had one.
  std::uint16_t packet_id() const noexcept { return packet_id_; }

 private:
  void take_head(std::uint8_t byte) noexcept;

  std::uint8_t qos_ = 0;
  std::size_t left_ = 0;        // bytes of the body
  std::size_t at_ = 0;          // of the next byte, in the body
  std::size_t topic_size_ = 0;  // its first two bytes
  std::uint16_t packet_id_ = 0;
};

}  // namespace sluice::mqtt
