// Reads and writes the packets that a broker exchanges with a client that only publishes.
#include "mqtt_wire.h"

namespace sluice::wire {
namespace {

constexpr std::size_t kLongestLength = 4;  // bytes of a variable byte integer
constexpr std::uint8_t kReceiveMaximum = 0x21;

std::uint8_t byte_at(std::string_view text, std::size_t at) {
  return static_cast<std::uint8_t>(text[at]);
}

/// Reads from the front of the text; false if that is too short.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  bool take_byte(std::uint8_t& value) {
    if (rest_.empty()) return false;
    value = byte_at(rest_, 0);
    rest_.remove_prefix(1);
    return true;
  }

  bool take_number(std::uint16_t& value) {
    if (rest_.size() < 2) return false;
    value = static_cast<std::uint16_t>(byte_at(rest_, 0) << 8 | byte_at(rest_, 1));
    rest_.remove_prefix(2);
    return true;
  }

  bool take_text(std::string_view& text) {
    std::uint16_t size = 0;
    if (!take_number(size) || rest_.size() < size) return false;
    text = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return true;
  }

  bool skip_properties() {
    std::size_t size = 0;
    for (std::size_t i = 0; i < kLongestLength; ++i) {
      std::uint8_t part = 0;
      if (!take_byte(part)) return false;
      size |= static_cast<std::size_t>(part & 0x7F) << (7 * i);
      if ((part & 0x80) != 0) continue;
      if (size > rest_.size()) return false;
      rest_.remove_prefix(size);
      return true;
    }
    return false;
  }

  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

void append_byte(std::string& out, unsigned value) {
  out += static_cast<char>(value);
}

void append_number(std::string& out, std::uint16_t value) {
  append_byte(out, value >> 8);
  append_byte(out, value & 0xFFU);
}

void append_first_byte(std::string& out, Type type) {
  append_byte(out, static_cast<unsigned>(type) << 4);
}

}  // namespace

Cut cut_packet(std::string_view input, Packet& packet, std::size_t& used) {
  FixedHeader header;
  const Cut cut = cut_header(input, header);
  if (cut != Cut::Whole) return cut;
  if (input.size() - header.size < header.body_size) return Cut::Partial;
  packet.type = header.type;
  packet.flags = header.flags;
  packet.body = input.substr(header.size, header.body_size);
  used = header.size + header.body_size;
  return Cut::Whole;
}

std::optional<Connect> parse_connect(std::string_view body) {
  Reader reader(body);
  Connect connect;
  std::string_view name;
  std::uint8_t version = 0;
  std::uint8_t flags = 0;
  if (!reader.take_text(name) || name != "MQTT" || !reader.take_byte(version)) return std::nullopt;
  if (version != 4 && version != 5) return std::nullopt;
  connect.is_v5 = version == 5;
  if (!reader.take_byte(flags) || !reader.take_number(connect.keep_alive_s)) return std::nullopt;
  connect.clean_start = (flags & 0x02) != 0;
  if (connect.is_v5 && !reader.skip_properties()) return std::nullopt;
  if (!reader.take_text(connect.client_id)) return std::nullopt;
  return connect;
}

std::optional<Publish> parse_publish(const Packet& packet, bool is_v5) {
  Reader reader(packet.body);
  Publish publish;
  publish.qos = (packet.flags >> 1) & 3;
  publish.is_duplicate = (packet.flags & 8) != 0;
  publish.is_retained = (packet.flags & 1) != 0;
  if (publish.qos == 3 || !reader.take_text(publish.topic)) return std::nullopt;
  if (publish.qos > 0) {
    if (!reader.take_number(publish.packet_id) || publish.packet_id == 0) return std::nullopt;
  }
  if (is_v5 && !reader.skip_properties()) return std::nullopt;
  publish.payload = reader.rest();
  return publish;
}

std::optional<std::uint16_t> parse_packet_id(std::string_view body) {
  Reader reader(body);
  std::uint16_t id = 0;
  if (!reader.take_number(id)) return std::nullopt;
  return id;
}

void append_connack(std::string& out, bool is_v5, std::uint8_t code,
                    std::optional<std::uint16_t> receive_maximum) {
  const bool has_property = is_v5 && receive_maximum.has_value();
  append_first_byte(out, Type::Connack);
  append_byte(out, is_v5 ? (has_property ? 6 : 3) : 2);
  append_byte(out, 0);  // no session present: every connection starts clean
  append_byte(out, code);
  if (is_v5) append_byte(out, has_property ? 3 : 0);
  if (!has_property) return;
  append_byte(out, kReceiveMaximum);
  append_number(out, *receive_maximum);
}

void append_ack(std::string& out, Type type, bool is_v5, std::uint16_t packet_id,
                std::uint8_t code) {
  const std::array<char, 4> success = ack(type, packet_id);
  out.append(success.data(), success.size());
  if (!is_v5 || code == 0) return;
  out[out.size() - 3] = 3;
  append_byte(out, code);
}

void append_pingresp(std::string& out) {
  append_first_byte(out, Type::Pingresp);
  append_byte(out, 0);
}

void append_disconnect(std::string& out, std::uint8_t code) {
  append_first_byte(out, Type::Disconnect);
  append_byte(out, 1);
  append_byte(out, code);
}

}  // namespace sluice::wire
