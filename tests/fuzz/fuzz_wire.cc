// libFuzzer: however a broker's bytes are split, the decoder returns the same packets or the same
// fault, and a session with messages in flight the same outcomes and answers. Nothing is read
// outside the input.
//
// The first line of an input is its plan: '3' or '5' for the version of MQTT, then one byte for the
// size of each piece ('A' to 'Z' are 1 to 26 bytes), repeated as needed. The rest is the stream.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mqtt/transport/session.h"
#include "mqtt/transport/wire_decoder.h"
#include "mqtt/transport/wire_properties.h"
#include "require.h"

using namespace sluice::mqtt;
using sluice::config::Protocol;
using sluice::fuzz::require;

namespace {

constexpr std::size_t kLongest = 300;  // a limit that small inputs reach

void append_number(std::string& out, std::size_t number) {
  out += std::to_string(number) + ' ';
}

/// A packet with its properties, as text.
std::string describe(const Packet& packet) {
  std::string out(to_string(packet.type));
  append_number(out, packet.reason_code);
  PropertyReader reader(packet.type, packet.properties);
  Property property;
  while (reader.next(property)) {
    append_number(out, static_cast<std::size_t>(property.id));
    append_number(out, property.number);
    out.append(property.text).append(property.value);
  }
  require(reader.fault().empty());  // next() has checked them
  switch (packet.type) {
    case PacketType::Connack: {
      const Connack connack = connack_of(packet);
      require(connack.receive_maximum != 0 && connack.maximum_packet_size != 0u);
      require(connack.maximum_qos <= 2);
      append_number(out, packet.is_session_present ? 1 : 0);
      break;
    }
    case PacketType::Publish:
      require(packet.qos <= 2 && (packet.qos > 0) == (packet.packet_id != 0));
      append_number(out, packet.qos);
      append_number(out, packet.packet_id);
      append_number(out, (packet.is_duplicate ? 2U : 0U) | (packet.is_retained ? 1U : 0U));
      out.append(packet.topic).append(packet.payload);
      break;
    case PacketType::Suback:
      require(!packet.payload.empty());
      out.append(packet.payload);
      append_number(out, packet.packet_id);
      break;
    case PacketType::Pingresp:
    case PacketType::Disconnect:
      break;
    default:
      require(packet.packet_id != 0);
      append_number(out, packet.packet_id);
  }
  return out;
}

class DecoderReader {
 public:
  explicit DecoderReader(Protocol protocol) : decoder_(protocol, kLongest) {}

  void take(std::string_view bytes) {
    // Memory of exactly this size, so that a read beyond it is detected.
    std::vector<char> piece(bytes.begin(), bytes.end());
    decoder_.feed({piece.data(), piece.size()});
    Packet packet;
    PacketDecoder::Next next = PacketDecoder::Next::Packet;
    while ((next = decoder_.next(packet)) == PacketDecoder::Next::Packet)
      out_.push_back(describe(packet));
    require((next == PacketDecoder::Next::Malformed) == !decoder_.fault().empty());
    std::fill(piece.begin(), piece.end(), '#');
  }

  std::vector<std::string> finish() {
    out_.push_back(decoder_.fault());
    return out_;
  }

 private:
  PacketDecoder decoder_;
  std::vector<std::string> out_;
};

/// An established connection with a message of each QoS in flight.
class SessionReader {
 public:
  explicit SessionReader(Protocol protocol) : session_(protocol, 60, kLongest) {
    const std::string_view connack("\x20\x03\x00\x00\x00", 5);
    session_.receive(protocol == Protocol::V5 ? connack : std::string_view("\x20\x02\x00\x00", 4),
                     {});
    require(session_.is_connected());
    for (std::uint8_t qos = 0; qos <= 2; ++qos) {
      sluice::protocol::Request request = sluice::protocol::Request::make("t", "x");
      request.qos = qos;
      std::uint16_t id = 0;
      require(session_.publish(request, id) == PublishStatus::Queued && id == qos + 1);
    }
    session_.sent(session_.unsent(), {});
    report();
  }

  void take(std::string_view bytes) {
    std::vector<char> piece(bytes.begin(), bytes.end());
    session_.receive({piece.data(), piece.size()}, {});
    std::fill(piece.begin(), piece.end(), '#');
    taken_ += bytes.size();
    std::array<std::string_view, 4> pieces;
    while (session_.unsent() > 0) {
      require(session_.next_output(pieces) > 0);
      answers_ += pieces.front();
      session_.sent(pieces.front().size(), {});
    }
    require(answers_.size() <= taken_);
    report();
  }

  std::vector<std::string> finish() {
    return {answers_, outcomes_, session_.end() ? session_.end()->text + '!' : ""};
  }

 private:
  void report() {
    for (const Session::Ack& ack : session_.acks()) {
      append_number(outcomes_, ack.packet_id);
      append_number(outcomes_, static_cast<std::size_t>(ack.reason_code));
      session_.release(ack.packet_id);
    }
    reported_ += session_.acks().size();
    require(reported_ <= 3);
    session_.acks().clear();
    session_.forget_reasons();
  }

  Session session_;
  std::size_t taken_ = 0;
  std::size_t reported_ = 0;
  std::string answers_;
  std::string outcomes_;
};

template <class Reader>
std::vector<std::string> read(std::string_view stream, Protocol protocol, std::string_view steps) {
  Reader reading(protocol);
  for (std::size_t turn = 0; !stream.empty(); ++turn) {
    const auto step = static_cast<unsigned char>(steps[turn % steps.size()]);
    const std::size_t wanted = step >= 'A' && step <= 'Z' ? step - 'A' + 1U : step + 1U;
    const std::size_t size = std::min(wanted, stream.size());
    reading.take(stream.substr(0, size));
    stream.remove_prefix(size);
  }
  return reading.finish();
}

template <class Reader>
void check(std::string_view stream, Protocol protocol, std::string_view steps) {
  Reader at_once(protocol);
  at_once.take(stream);
  const std::vector<std::string> whole = at_once.finish();
  require(read<Reader>(stream, protocol, steps) == whole);
  require(read<Reader>(stream, protocol, "A") == whole);
}

}  // namespace

// The name is libFuzzer's.
// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t newline = input.find('\n');
  if (newline == std::string_view::npos || newline < 2) return 0;
  const Protocol protocol = input[0] == '3' ? Protocol::V311 : Protocol::V5;
  const std::string_view steps = input.substr(1, newline - 1);
  const std::string_view stream = input.substr(newline + 1);

  check<DecoderReader>(stream, protocol, steps);
  check<SessionReader>(stream, protocol, steps);
  return 0;
}
