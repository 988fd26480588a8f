#include "mqtt/transport/wire_properties.h"

#include <fmt/format.h>

#include <utility>

#include "base/utf8.h"

namespace sluice::mqtt {
namespace {

enum class Form : std::uint8_t { Byte, Number16, Number32, Varint, Text, Binary, Pair };

/// The packets in which a server may send a property, as a set of types.
constexpr unsigned in(PacketType type) noexcept {
  return 1U << static_cast<unsigned>(type);
}
constexpr unsigned kConnack = in(PacketType::Connack);
constexpr unsigned kPublish = in(PacketType::Publish);
constexpr unsigned kDisconnect = in(PacketType::Disconnect);
constexpr unsigned kAnswers = in(PacketType::Puback) | in(PacketType::Pubrec) |
                              in(PacketType::Pubrel) | in(PacketType::Pubcomp) |
                              in(PacketType::Suback);

struct Rule {
  PropertyId id;
  Form form;
  unsigned places;
  std::uint32_t least = 0;  // bounds of a number
  std::uint32_t most = 0xFFFFFFFF;
};

constexpr Rule kRules[] = {
    {PropertyId::PayloadFormatIndicator, Form::Byte, kPublish, 0, 1},
    {PropertyId::MessageExpiryInterval, Form::Number32, kPublish},
    {PropertyId::ContentType, Form::Text, kPublish},
    {PropertyId::ResponseTopic, Form::Text, kPublish},
    {PropertyId::CorrelationData, Form::Binary, kPublish},
    {PropertyId::SubscriptionIdentifier, Form::Varint, kPublish, 1},
    {PropertyId::SessionExpiryInterval, Form::Number32, kConnack},
    {PropertyId::AssignedClientIdentifier, Form::Text, kConnack},
    {PropertyId::ServerKeepAlive, Form::Number16, kConnack},
    {PropertyId::AuthenticationMethod, Form::Text, kConnack},
    {PropertyId::AuthenticationData, Form::Binary, kConnack},
    {PropertyId::ResponseInformation, Form::Text, kConnack},
    {PropertyId::ServerReference, Form::Text, kConnack | kDisconnect},
    {PropertyId::ReasonString, Form::Text, kConnack | kAnswers | kDisconnect},
    {PropertyId::ReceiveMaximum, Form::Number16, kConnack, 1},
    {PropertyId::TopicAliasMaximum, Form::Number16, kConnack},
    {PropertyId::TopicAlias, Form::Number16, kPublish, 1},
    {PropertyId::MaximumQos, Form::Byte, kConnack, 0, 1},
    {PropertyId::RetainAvailable, Form::Byte, kConnack, 0, 1},
    {PropertyId::UserProperty, Form::Pair, kConnack | kPublish | kAnswers | kDisconnect},
    {PropertyId::MaximumPacketSize, Form::Number32, kConnack, 1},
    {PropertyId::WildcardSubscriptionAvailable, Form::Byte, kConnack, 0, 1},
    {PropertyId::SubscriptionIdentifierAvailable, Form::Byte, kConnack, 0, 1},
    {PropertyId::SharedSubscriptionAvailable, Form::Byte, kConnack, 0, 1},
};

const Rule* rule_of(std::size_t id) noexcept {
  for (const Rule& rule : kRules) {
    if (static_cast<std::size_t>(rule.id) == id) return &rule;
  }
  return nullptr;
}

/// The two that a packet may repeat (MQTT 5, sections 2.2.2.2 and 3.3.2.3.8).
bool may_repeat(PropertyId id) noexcept {
  return id == PropertyId::UserProperty || id == PropertyId::SubscriptionIdentifier;
}

template <class Number>
bool take_as(WireReader& reader, bool (WireReader::*take)(Number&),
             std::uint32_t& number) noexcept {
  Number value = 0;
  if (!(reader.*take)(value)) return false;
  number = static_cast<std::uint32_t>(value);
  return true;
}

bool take_value(WireReader& reader, Form form, Property& property) noexcept {
  switch (form) {
    case Form::Byte:
      return take_as(reader, &WireReader::take_byte, property.number);
    case Form::Number16:
      return take_as(reader, &WireReader::take_number16, property.number);
    case Form::Number32:
      return take_as(reader, &WireReader::take_number32, property.number);
    case Form::Varint:
      return take_as(reader, &WireReader::take_varint, property.number);
    case Form::Text:
      return reader.take_text(property.text);
    case Form::Binary:
      return reader.take_binary(property.text);
    case Form::Pair:
      return reader.take_text(property.text) && reader.take_text(property.value);
  }
  return false;
}

bool is_number(Form form) noexcept {
  return form != Form::Text && form != Form::Binary && form != Form::Pair;
}

}  // namespace

bool WireReader::take_byte(std::uint8_t& value) noexcept {
  if (rest_.empty()) return false;
  value = static_cast<std::uint8_t>(rest_.front());
  rest_.remove_prefix(1);
  return true;
}

bool WireReader::take_number16(std::uint16_t& value) noexcept {
  std::uint8_t high = 0;
  std::uint8_t low = 0;
  if (!take_byte(high) || !take_byte(low)) return false;
  value = static_cast<std::uint16_t>(high << 8 | low);
  return true;
}

bool WireReader::take_number32(std::uint32_t& value) noexcept {
  std::uint16_t high = 0;
  std::uint16_t low = 0;
  if (!take_number16(high) || !take_number16(low)) return false;
  value = std::uint32_t{high} << 16 | low;
  return true;
}

bool WireReader::take_varint(std::size_t& value) noexcept {
  value = 0;
  for (unsigned shift = 0; shift < 28; shift += 7) {
    std::uint8_t part = 0;
    if (!take_byte(part)) return false;
    value |= static_cast<std::size_t>(part & 0x7F) << shift;
    if (part < 0x80) return true;
  }
  return false;
}

bool WireReader::take_binary(std::string_view& bytes) noexcept {
  std::uint16_t size = 0;
  if (!take_number16(size) || rest_.size() < size) return false;
  bytes = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return true;
}

bool WireReader::take_text(std::string_view& text) noexcept {
  return take_binary(text) && is_utf8(text);
}

bool WireReader::take_properties(std::string_view& properties) noexcept {
  std::size_t size = 0;
  if (!take_varint(size) || rest_.size() < size) return false;
  properties = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return true;
}

bool PropertyReader::refuse(std::string fault) {
  fault_ = std::move(fault);
  return false;
}

bool PropertyReader::next(Property& property) {
  if (reader_.rest().empty() || !fault_.empty()) return false;
  std::size_t id = 0;
  if (!reader_.take_varint(id)) return refuse("truncated property identifier");
  const Rule* rule = rule_of(id);
  if (rule == nullptr) return refuse(fmt::format("unknown property 0x{:02X}", id));
  if ((rule->places & in(type_)) == 0)
    return refuse(fmt::format("property 0x{:02X} not allowed here", id));
  const std::uint64_t bit = std::uint64_t{1} << id;
  if ((seen_ & bit) != 0 && !may_repeat(rule->id))
    return refuse(fmt::format("property 0x{:02X} repeated", id));
  seen_ |= bit;
  property = {.id = rule->id, .number = 0, .text = {}, .value = {}};
  if (!take_value(reader_, rule->form, property))
    return refuse(fmt::format("property 0x{:02X} truncated or not UTF-8", id));
  const bool is_allowed = property.number >= rule->least && property.number <= rule->most;
  if (is_number(rule->form) && !is_allowed)
    return refuse(fmt::format("property 0x{:02X} has the invalid value {}", id, property.number));
  return true;
}

std::string property_fault(PacketType type, std::string_view properties) {
  PropertyReader reader(type, properties);
  Property ignored;
  while (reader.next(ignored)) {
  }
  return reader.fault();
}

}  // namespace sluice::mqtt
