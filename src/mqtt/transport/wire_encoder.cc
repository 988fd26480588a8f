#include "mqtt/transport/wire_encoder.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "mqtt/transport/wire_properties.h"

namespace sluice::mqtt {
namespace {

constexpr std::size_t kLongestText = 65535;

/// Appends to a buffer in which the caller has made room.
class Writer {
 public:
  explicit Writer(char* to) noexcept : at_(to) {}

  void byte(std::size_t value) noexcept { *at_++ = static_cast<char>(value); }
  void number16(std::size_t value) noexcept {
    byte(value >> 8 & 0xFF);
    byte(value & 0xFF);
  }
  void number32(std::size_t value) noexcept {
    number16(value >> 16);
    number16(value & 0xFFFF);
  }
  void varint(std::size_t value) noexcept {
    for (; value >= 128; value >>= 7)
      byte((value & 0x7F) | 0x80);
    byte(value);
  }
  void bytes(std::string_view text) noexcept {
    // An empty view may be a null pointer.
    if (!text.empty()) std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
  }
  void text(std::string_view text) noexcept {
    number16(text.size());
    bytes(text);
  }
  void property(PropertyId id, const std::optional<std::string>& value) noexcept {
    if (!value) return;
    byte(static_cast<std::size_t>(id));
    text(*value);
  }

  char* at() const noexcept { return at_; }

 private:
  char* at_;
};

std::size_t property_size(const std::optional<std::string>& text) noexcept {
  return text ? 1 + 2 + text->size() : 0;
}

std::size_t size_of(const protocol::Properties& properties) noexcept {
  std::size_t size = property_size(properties.content_type) +
                     property_size(properties.response_topic) +
                     property_size(properties.correlation_data);
  if (properties.message_expiry_s) size += 1 + 4;
  for (const auto& [name, value] : properties.user)
    size += 1 + 2 + name.size() + 2 + value.size();
  return size;
}

bool fits(const std::optional<std::string>& text) noexcept {
  return !text || text->size() <= kLongestText;
}

bool fits(const protocol::Properties& properties) noexcept {
  return fits(properties.content_type) && fits(properties.response_topic) &&
         fits(properties.correlation_data) &&
         std::all_of(properties.user.begin(), properties.user.end(), [](const auto& pair) {
           return pair.first.size() <= kLongestText && pair.second.size() <= kLongestText;
         });
}

void write_properties(Writer& writer, const protocol::Properties& properties) noexcept {
  writer.property(PropertyId::ContentType, properties.content_type);
  writer.property(PropertyId::ResponseTopic, properties.response_topic);
  writer.property(PropertyId::CorrelationData, properties.correlation_data);
  if (properties.message_expiry_s) {
    writer.byte(static_cast<std::size_t>(PropertyId::MessageExpiryInterval));
    writer.number32(*properties.message_expiry_s);
  }
  for (const auto& [name, value] : properties.user) {
    writer.byte(static_cast<std::size_t>(PropertyId::UserProperty));
    writer.text(name);
    writer.text(value);
  }
}

}  // namespace

PublishPacket::PublishPacket(const protocol::Request& request, config::Protocol protocol) noexcept
    : request_(request),
      is_v5_(protocol == config::Protocol::V5),
      properties_(is_v5_ ? request.properties() : nullptr) {
  remaining_ = 2 + request.topic().size() + request.payload().size();
  if (request.qos > 0) remaining_ += 2;
  if (properties_ != nullptr) properties_size_ = size_of(*properties_);
  if (is_v5_) remaining_ += varint_size(properties_size_) + properties_size_;
}

bool PublishPacket::is_possible() const noexcept {
  return remaining_ <= kLargestVarint && request_.topic().size() <= kLongestText &&
         !request_.topic().empty() && (properties_ == nullptr || fits(*properties_));
}

void PublishPacket::write(char* to, std::uint16_t packet_id) const noexcept {
  Writer(put_head(to, packet_id)).bytes(request_.payload());
}

/// Returns the place of the payload.
char* PublishPacket::put_head(char* to, std::uint16_t packet_id) const noexcept {
  Writer writer(to);
  writer.byte(static_cast<unsigned>(PacketType::Publish) << 4 |
              static_cast<unsigned>(request_.qos) << 1 | (request_.retain ? 1U : 0U));
  writer.varint(remaining_);
  writer.text(request_.topic());
  if (request_.qos > 0) writer.number16(packet_id);
  if (is_v5_) writer.varint(properties_size_);
  if (properties_ != nullptr) write_properties(writer, *properties_);
  return writer.at();
}

std::string subscribe_packet(std::uint16_t packet_id, std::string_view filter, std::uint8_t qos,
                             config::Protocol protocol) {
  const bool is_v5 = protocol == config::Protocol::V5;
  const std::size_t remaining = 2 + (is_v5 ? 1U : 0U) + 2 + filter.size() + 1;
  std::string packet(1 + varint_size(remaining) + remaining, '\0');
  Writer writer(packet.data());
  writer.byte(static_cast<unsigned>(PacketType::Subscribe) << 4 | kRequiredFlags);
  writer.varint(remaining);
  writer.number16(packet_id);
  if (is_v5) writer.varint(0);
  writer.text(filter);
  writer.byte(qos);
  return packet;
}

}  // namespace sluice::mqtt
