// The properties of MQTT 5 (section 2.2.2): their identifiers, in which packets each is allowed,
// and how they are read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "mqtt/transport/wire.h"

namespace sluice::mqtt {

enum class PropertyId : std::uint8_t {
  PayloadFormatIndicator = 0x01,
  MessageExpiryInterval = 0x02,
  ContentType = 0x03,
  ResponseTopic = 0x08,
  CorrelationData = 0x09,
  SubscriptionIdentifier = 0x0B,
  SessionExpiryInterval = 0x11,
  AssignedClientIdentifier = 0x12,
  ServerKeepAlive = 0x13,
  AuthenticationMethod = 0x15,
  AuthenticationData = 0x16,
  ResponseInformation = 0x1A,
  ServerReference = 0x1C,
  ReasonString = 0x1F,
  ReceiveMaximum = 0x21,
  TopicAliasMaximum = 0x22,
  TopicAlias = 0x23,
  MaximumQos = 0x24,
  RetainAvailable = 0x25,
  UserProperty = 0x26,
  MaximumPacketSize = 0x27,
  WildcardSubscriptionAvailable = 0x28,
  SubscriptionIdentifierAvailable = 0x29,
  SharedSubscriptionAvailable = 0x2A,
};

/// Reads from the front of a packet's body; false if that is too short or malformed.
class WireReader {
 public:
  explicit WireReader(std::string_view bytes) noexcept : rest_(bytes) {}

  bool take_byte(std::uint8_t& value) noexcept;
  bool take_number16(std::uint16_t& value) noexcept;
  bool take_number32(std::uint32_t& value) noexcept;
  bool take_varint(std::size_t& value) noexcept;
  /// Two bytes of length, then that many bytes.
  bool take_binary(std::string_view& bytes) noexcept;
  /// The same, and it must be UTF-8.
  bool take_text(std::string_view& text) noexcept;
  /// Their length as a Variable Byte Integer, then that many bytes.
  bool take_properties(std::string_view& properties) noexcept;

  std::string_view rest() const noexcept { return rest_; }

 private:
  std::string_view rest_;
};

/// One property. The texts point into the packet.
struct Property {
  PropertyId id{};
  std::uint32_t number = 0;  ///< the value of a numeric property
  std::string_view text;   ///< the value of a text or binary property; the name of a user property
  std::string_view value;  ///< the value of a user property
};

/// Reads the properties of one packet, without their length in front.
class PropertyReader {
 public:
  PropertyReader(PacketType type, std::string_view properties) noexcept
      : type_(type), reader_(properties) {}

  /// False at the end, and at a fault.
  bool next(Property& property);
  /// A property that is unknown, not allowed in this packet, repeated, or has a bad value. Empty:
  /// no fault.
  const std::string& fault() const noexcept { return fault_; }

 private:
  bool refuse(std::string fault);

  const PacketType type_;
  WireReader reader_;
  std::uint64_t seen_ = 0;  // one bit for each identifier
  std::string fault_;
};

/// The first fault in the properties of a server's packet; empty: none.
std::string property_fault(PacketType type, std::string_view properties);

}  // namespace sluice::mqtt
