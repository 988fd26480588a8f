// Reads the packets that a server sends, however its bytes are split.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "config/config.h"
#include "mqtt/transport/oversized_publish.h"
#include "mqtt/transport/transport.h"
#include "mqtt/transport/wire.h"

namespace sluice::mqtt {

/// One packet. Fields that its type does not have keep their former values. The texts point into
/// the decoder's input, valid until its next call.
struct Packet {
  PacketType type{};
  std::uint8_t reason_code = 0;     ///< CONNACK, PUBACK to PUBCOMP, DISCONNECT
  std::uint16_t packet_id = 0;      ///< PUBACK to PUBCOMP, SUBACK; PUBLISH above QoS 0
  std::uint8_t qos = 0;             ///< PUBLISH
  bool is_duplicate = false;        ///< PUBLISH
  bool is_retained = false;         ///< PUBLISH
  bool is_session_present = false;  ///< CONNACK
  bool is_of_v311 = false;          ///< CONNACK: without properties, in answer to an MQTT 5 CONNECT
  std::string_view topic;           ///< PUBLISH
  std::string_view payload;         ///< PUBLISH; the reason codes of a SUBACK
  std::string_view properties;      ///< all types but PINGRESP; checked, for a PropertyReader
};

/// One connection's input. It holds at most one packet, and refuses packets longer than the limit
/// when it has read their length; of an MQTT 3.1.1 PUBLISH above it only the head is read, and
/// topic and payload stay empty. Not thread-safe.
class PacketDecoder {
 public:
  enum class Next {
    Packet,
    NeedMore,   ///< the rest was copied: the bytes that were fed are not needed any more
    Malformed,  ///< fault() says why; the rest of the input is ignored
  };

  /// `longest`: bytes of a whole packet, as MQTT 5 counts its Maximum Packet Size (section
  /// 3.1.2.11.4).
  PacketDecoder(config::Protocol protocol, std::size_t longest) noexcept
      : is_v5_(protocol == config::Protocol::V5), longest_(longest) {}

  /// The bytes must stay valid until next() returns something else than Packet.
  void feed(std::string_view bytes) noexcept {
    if (fault_.empty()) rest_ = bytes;
  }
  /// The next whole packet of the input.
  Next next(Packet& packet) {
    // Fast path: nearly all of a publisher's input are whole PUBACKs of success.
    if (rest_.size() >= 4 && rest_[0] == 0x40 && rest_[1] == 2 && partial_.empty() &&
        !oversized_.is_under_way() && (rest_[2] | rest_[3]) != 0) {
      packet.type = PacketType::Puback;
      packet.reason_code = 0;
      packet.packet_id = static_cast<std::uint16_t>(static_cast<std::uint8_t>(rest_[2]) << 8 |
                                                    static_cast<std::uint8_t>(rest_[3]));
      packet.properties = {};
      rest_.remove_prefix(4);
      return Next::Packet;
    }
    return next_of_any_kind(packet);
  }
  /// After NeedMore: the type of the incomplete packet, if there is one.
  std::optional<PacketType> begun() const noexcept;
  /// For the log, for example "PUBACK: unknown property 0x7F". Empty: no fault.
  const std::string& fault() const noexcept { return fault_; }

 private:
  Next next_of_any_kind(Packet& packet);
  Next cut_and_parse(Packet& packet);
  Next complete_partial(Packet& packet);
  Next begin_oversized(std::uint8_t first, Packet& packet);
  Next skip_oversized(Packet& packet);
  /// The size of the packet that begins with these bytes; 0: not known yet, or a fault.
  std::size_t size_of(std::string_view begin);
  std::string fault_of_size(PacketType type, std::size_t size) const;
  std::string fault_of_first(std::uint8_t first) const;
  Next parse(std::string_view bytes, Packet& packet);
  std::string parse_connack(std::string_view body, Packet& packet) const;
  std::string parse_ack(std::string_view body, Packet& packet) const;
  std::string parse_publish(std::uint8_t flags, std::string_view body, Packet& packet) const;
  std::string parse_suback(std::string_view body, Packet& packet) const;
  static std::string parse_disconnect(std::string_view body, Packet& packet);

  const bool is_v5_;
  const std::size_t longest_;
  std::string_view rest_;          // unread input
  std::string partial_;            // the beginning of a packet that was not whole in it
  std::size_t wanted_ = 0;         // the size of that packet, once it is known
  std::size_t head_size_ = 0;      // of its fixed header
  bool partial_is_given_ = false;  // next() has returned it
  OversizedPublish oversized_;
  std::string fault_;
};

/// The limits that a CONNACK announces.
Connack connack_of(const Packet& packet);

}  // namespace sluice::mqtt
