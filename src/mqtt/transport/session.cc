#include "mqtt/transport/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/utf8.h"
#include "mqtt/reason_codes.h"
#include "mqtt/transport/foreign_server.h"
#include "mqtt/transport/wire_encoder.h"
#include "mqtt/transport/wire_properties.h"

namespace sluice::mqtt {
namespace {

/// Answers that may wait for a broker that does not read, beyond one for each message in flight.
constexpr std::size_t kMostOwed = 16;
/// Bytes of a Reason String or Server Reference that go into a reply or the log.
constexpr std::size_t kLongestReason = 200;
/// Between two ticks. A ping leaves up to this much early, never late.
constexpr Duration kTick{500};

/// The MQTT 5 reason code for a CONNACK return code of MQTT 3.1.1 (section 3.2.2.3).
int to_v5_code(int code) noexcept {
  switch (code) {
    case 1:
      return reason::kUnsupportedProtocolVersion;
    case 2:
      return reason::kClientIdentifierNotValid;
    case 3:
      return reason::kServerUnavailable;
    case 4:
      return reason::kBadUserNameOrPassword;
    case 5:
      return reason::kNotAuthorized;
    default:
      return code;
  }
}

template <std::size_t Size>
std::string_view view(const std::array<char, Size>& packet) noexcept {
  return {packet.data(), packet.size()};
}

/// A text property of the packet; empty where there is none.
std::string_view text_of(const Packet& packet, PropertyId id) {
  PropertyReader reader(packet.type, packet.properties);
  Property property;
  while (reader.next(property)) {
    if (property.id == id) return property.text;
  }
  return {};
}

/// What the broker said beside a code: its Reason String and its Server Reference (MQTT 5, sections
/// 3.2.2.3 and 3.14.2.2).
std::string words_of(const Packet& packet) {
  const std::string_view reason = text_of(packet, PropertyId::ReasonString);
  const std::string_view server = text_of(packet, PropertyId::ServerReference);
  std::string words;
  if (!reason.empty()) words = fmt::format("\"{}\"", cut_utf8(reason, kLongestReason));
  if (server.empty()) return words;
  return fmt::format("{}{}it names another server: {}", words, words.empty() ? "" : "; ",
                     cut_utf8(server, kLongestReason));
}

Awaits first_of(std::uint8_t qos) noexcept {
  if (qos == 0) return Awaits::Socket;
  return qos == 1 ? Awaits::Puback : Awaits::Pubrec;
}

}  // namespace

Session::Session(config::Protocol protocol, unsigned keepalive_s,
                 std::size_t longest_packet) noexcept
    : protocol_(protocol),
      keep_alive_(std::chrono::seconds(keepalive_s)),
      decoder_(protocol, longest_packet) {}

// --- input

void Session::receive(std::string_view bytes, TimePoint now) {
  last_received_ = now;
  if (!is_connected_ && greeting_.size() < kGreetingBytes)
    greeting_ += bytes.substr(0, kGreetingBytes - greeting_.size());
  decoder_.feed(bytes);
  Packet packet;
  while (!end_) {
    switch (decoder_.next(packet)) {
      case PacketDecoder::Next::Packet:
        take(packet, now);
        break;
      case PacketDecoder::Next::NeedMore:
        // A server of another protocol may wait for its client, and never send the rest.
        if (const auto type = decoder_.begun(); type && !is_connected_) check_first(*type);
        return;
      case PacketDecoder::Next::Malformed:
        fail(decoder_.fault());
        return;
    }
  }
}

void Session::check_first(PacketType type) {
  if (type == PacketType::Connack || type == PacketType::Disconnect) return;
  fail(fmt::format("{} before the CONNACK", to_string(type)));
}

void Session::take(const Packet& packet, TimePoint now) {
  if (!is_connected_) {
    check_first(packet.type);
    if (end_) return;
  }
  switch (packet.type) {
    case PacketType::Puback:
      take_puback(packet);
      break;
    case PacketType::Pubrec:
      take_pubrec(packet);
      break;
    case PacketType::Pubcomp:
      take_pubcomp(packet);
      break;
    case PacketType::Connack:
      take_connack(packet, now);
      break;
    case PacketType::Pingresp:
      pinged_at_.reset();
      break;
    case PacketType::Publish:
      take_publish(packet);
      break;
    case PacketType::Pubrel:
      answer(PacketType::Pubcomp, packet.packet_id);
      break;
    case PacketType::Disconnect:
      take_disconnect(packet);
      break;
    default:
      fail(fmt::format("unexpected {}", to_string(packet.type)));
  }
}

void Session::take_connack(const Packet& packet, TimePoint now) {
  if (is_connected_) {
    fail("a second CONNACK");
    return;
  }
  if (packet.reason_code != 0) {
    end_by(Loss::Kind::Refused, to_v5_code(packet.reason_code), packet);
    return;
  }
  if (protocol_ == config::Protocol::V5 && packet.is_of_v311) {
    // It has taken the CONNECT for one of its own version, and would misread all that follows.
    end_ = Loss{Loss::Kind::Refused, reason::kUnsupportedProtocolVersion, {}};
    return;
  }
  is_connected_ = true;
  greeting_ = {};
  connack_ = connack_of(packet);
  if (connack_.server_keep_alive_s) {
    keep_alive_ = std::chrono::seconds(*connack_.server_keep_alive_s);
  }
  last_sent_ = now;
}

/// RabbitMQ answers QoS 2 with it: it has the message, and knows of no PUBREL.
void Session::take_puback(const Packet& packet) {
  const Awaits awaits = states_.of(packet.packet_id);
  if (awaits == Awaits::Pubrec && packet.reason_code < reason::kFirstError) downgrades_qos2_ = true;
  if (awaits == Awaits::Puback || awaits == Awaits::Pubrec) {
    complete(packet);
  } else if (awaits == Awaits::Pubcomp) {
    fail("a PUBACK behind the PUBREC of a message of QoS 2");
  }
}

/// Answers an unknown identifier with PUBREL, too: the broker waits for it.
void Session::take_pubrec(const Packet& packet) {
  const Awaits awaits = states_.of(packet.packet_id);
  if (awaits == Awaits::Puback) {
    fail("a PUBREC for a message of QoS 1");
  } else if (packet.reason_code >= reason::kFirstError) {
    if (awaits == Awaits::Pubrec) complete(packet);
  } else {
    if (awaits == Awaits::Pubrec) states_.set(packet.packet_id, Awaits::Pubcomp);
    answer(PacketType::Pubrel, packet.packet_id);
  }
}

void Session::take_pubcomp(const Packet& packet) {
  const Awaits awaits = states_.of(packet.packet_id);
  if (awaits == Awaits::Puback) {
    fail("a PUBCOMP for a message of QoS 1");
  } else if (awaits == Awaits::Pubrec || awaits == Awaits::Pubcomp) {
    complete(packet, awaits == Awaits::Pubcomp);
  }
}

/// sluice subscribes to nothing, but a broker may subscribe it: its messages are acknowledged.
void Session::take_publish(const Packet& packet) {
  if (packet.qos == 1) answer(PacketType::Puback, packet.packet_id);
  if (packet.qos == 2) answer(PacketType::Pubrec, packet.packet_id);
}

void Session::take_disconnect(const Packet& packet) {
  const bool has_reason = packet.reason_code >= reason::kFirstError;
  end_by(Loss::Kind::Disconnected, has_reason ? packet.reason_code : 0, packet);
}

void Session::end_by(Loss::Kind kind, int reason_code, const Packet& packet) {
  end_ = Loss{kind, reason_code, words_of(packet)};
}

void Session::complete(const Packet& packet, bool is_received) {
  states_.set(packet.packet_id, Awaits::Report);
  Ack& ack = acks_.emplace_back(Ack{packet.packet_id, packet.reason_code});
  // The one error that a PUBCOMP may have (MQTT 5, section 3.7.2.1), whatever the broker wrote.
  if (is_received && packet.reason_code >= reason::kFirstError)
    ack.reason_code = reason::kPacketIdentifierNotFound;
  if (packet.reason_code < reason::kFirstError) return;
  const std::string_view reason = text_of(packet, PropertyId::ReasonString);
  if (reason.empty()) return;
  reasons_.emplace_back(cut_utf8(reason, kLongestReason));
  ack.reason = static_cast<std::uint32_t>(reasons_.size());
}

/// Input is read on while they wait: a broker that applies back pressure might wait for that.
void Session::answer(PacketType type, std::uint16_t packet_id) {
  if (has_sent_disconnect_) return;
  const auto packet = ack_packet(type, packet_id);
  output_.append(view(packet));
  owed_.push_back(output_.written());
  if (is_stuck_ && owed_.size() > states_.used() + kMostOwed)
    fail(fmt::format("it does not read, and {} answers wait for it", owed_.size()));
}

void Session::fail(std::string_view what) {
  const auto kind = is_connected_ ? Loss::Kind::Faulty : Loss::Kind::Unreachable;
  std::string text = is_connected_ ? std::string() : describe_foreign_server(greeting_);
  if (text.empty()) text = fmt::format("protocol error by the broker: {}", what);
  end_ = Loss{kind, 0, std::move(text), FailureReason::Protocol};
}

void Session::tick(TimePoint now) {
  output_.trim();
  if (!is_connected_ || end_ || has_sent_disconnect_ || keep_alive_ == Duration{}) return;
  if (pinged_at_) {
    if (now - std::max(*pinged_at_, last_received_) < keep_alive_) return;
    end_ = Loss{Loss::Kind::Silent, 0, "the broker did not answer a ping in time"};
    return;
  }
  const bool is_due =
      now - last_sent_ + kTick >= keep_alive_ || now - last_received_ >= keep_alive_;
  if (!is_due) return;
  output_.append(view(pingreq_packet()));
  pinged_at_ = now;
}

// --- output

PublishStatus Session::publish(const protocol::Request& request, std::uint16_t& packet_id) {
  const PublishPacket packet(request, protocol_);
  if (!packet.is_possible()) return PublishStatus::Refused;
  packet_id = states_.take(first_of(request.qos));
  if (packet_id == 0) {  // no window is larger than this
    end_ = Loss{Loss::Kind::Leaking, 0, "all 65535 packet identifiers are in use"};
    return PublishStatus::Broken;
  }
  if (const protocol::Block& payload = request.payload_block()) {
    packet.write_head(output_.append(packet.head_size()), packet_id);
    output_.append(request.payload(), payload);
  } else {
    packet.write(output_.append(packet.size()), packet_id);
  }
  if (request.qos == 0) sending_.push_back({packet_id, output_.written()});
  return PublishStatus::Queued;
}

void Session::disconnect() {
  has_sent_disconnect_ = true;
  output_.append(view(disconnect_packet()));
}

/// QoS 0 completes when the kernel has taken its last byte: from then on it may arrive, so it must
/// not be sent again. Without its last byte it cannot arrive.
void Session::sent(std::size_t bytes, TimePoint now) {
  is_stuck_ = bytes < output_.unsent();
  if (bytes == 0) return;
  last_sent_ = now;
  output_.take(bytes);
  const auto is_out = [this](std::uint64_t end) { return end <= output_.taken(); };
  owed_.erase(owed_.begin(), std::find_if_not(owed_.begin(), owed_.end(), is_out));
  auto next = sending_.begin();
  for (; next != sending_.end() && next->end <= output_.taken(); ++next) {
    states_.set(next->packet_id, Awaits::Report);
    acks_.push_back({next->packet_id, 0});
  }
  sending_.erase(sending_.begin(), next);
}

}  // namespace sluice::mqtt
