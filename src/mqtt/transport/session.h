// One MQTT connection from the CONNACK on, without its socket: handles packets and makes output.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "config/config.h"
#include "mqtt/transport/packet_states.h"
#include "mqtt/transport/send_buffer.h"
#include "mqtt/transport/transport.h"
#include "mqtt/transport/wire_decoder.h"
#include "protocol/request.h"

namespace sluice::mqtt {

/// Its owner moves the bytes: received ones go to receive(), those of next_output() go to the
/// socket and are then reported by sent(). No I/O, and no clock but the times passed in. Not
/// thread-safe.
class Session {
 public:
  struct Ack {
    std::uint16_t packet_id;
    int reason_code;
    std::uint32_t reason = 0;  ///< for reason_of(); 0: there is none
  };

  /// `keepalive_s`: as the CONNECT requested; 0: none. `longest_packet`: in bytes, see
  /// PacketDecoder.
  Session(config::Protocol protocol, unsigned keepalive_s, std::size_t longest_packet) noexcept;

  // --- input
  void receive(std::string_view bytes, TimePoint now);
  /// Sends a ping if one is due, or ends if the last one was not answered. About twice a second.
  void tick(TimePoint now);

  // --- output
  /// Only while connected. Broken: end() says why.
  PublishStatus publish(const protocol::Request& request, std::uint16_t& packet_id);
  /// Sends DISCONNECT, the last packet.
  void disconnect();
  /// Fills `to` with the next pieces to write; returns how many. Valid until the next call.
  std::size_t next_output(std::span<std::string_view> to) const noexcept {
    return output_.next(to);
  }
  /// Bytes that the socket has not taken yet.
  std::size_t unsent() const noexcept { return output_.unsent(); }
  /// The socket took this many bytes of next_output(). Fewer than unsent(): it is full.
  void sent(std::size_t bytes, TimePoint now);

  // --- state
  bool is_connected() const noexcept { return is_connected_; }
  const Connack& connack() const noexcept { return connack_; }
  /// Messages that have their outcome, in order; release() each when it is reported.
  std::vector<Ack>& acks() noexcept { return acks_; }
  /// The Reason String of a refusal among acks(), valid until forget_reasons(); may be empty.
  std::string_view reason_of(const Ack& ack) const noexcept {
    return ack.reason == 0 ? std::string_view() : reasons_[ack.reason - 1];
  }
  /// All of acks() are reported.
  void forget_reasons() noexcept { reasons_.clear(); }
  /// True once after a PUBACK for a message of QoS 2.
  bool take_qos2_downgrade() noexcept { return std::exchange(downgrades_qos2_, false); }
  /// True while a message that was handed over has no outcome.
  bool awaits_outcomes() const noexcept { return states_.used() > acks_.size(); }
  /// The packet identifier may be used again.
  void release(std::uint16_t packet_id) noexcept { states_.set(packet_id, Awaits::Nothing); }
  /// Set once packets have ended the session; then no input is taken any more. For a reason code
  /// the caller adds the code's text; this one has only the broker's own words.
  const std::optional<Loss>& end() const noexcept { return end_; }

 private:
  struct Sending {
    std::uint16_t packet_id;
    std::uint64_t end;  // position of its last byte, as SendBuffer::taken() counts
  };

  /// The first packet must be one that may answer a CONNECT.
  void check_first(PacketType type);
  void take(const Packet& packet, TimePoint now);
  void take_connack(const Packet& packet, TimePoint now);
  void take_puback(const Packet& packet);
  void take_pubrec(const Packet& packet);
  void take_pubcomp(const Packet& packet);
  void take_publish(const Packet& packet);
  void take_disconnect(const Packet& packet);
  /// `is_received`: the broker has taken the message by a PUBREC before.
  void complete(const Packet& packet, bool is_received = false);
  void answer(PacketType type, std::uint16_t packet_id);
  /// The broker violated the protocol.
  void fail(std::string_view what);
  /// With the code that the broker gave, and what it said besides.
  void end_by(Loss::Kind kind, int reason_code, const Packet& packet);

  const config::Protocol protocol_;
  Duration keep_alive_;
  PacketDecoder decoder_;
  SendBuffer output_;
  PacketStates states_;
  std::vector<Ack> acks_;
  std::vector<std::string> reasons_;  // Reason Strings of acks_
  std::vector<Sending> sending_;  // QoS 0 messages that the socket has not taken wholly, in order
  std::vector<std::uint64_t> owed_;  // ends of the unsent answers, as SendBuffer::taken() counts
  std::string greeting_;             // the first bytes received, up to the CONNACK
  bool is_stuck_ = false;            // the socket took less than it was given
  bool is_connected_ = false;
  bool downgrades_qos2_ = false;      // to be reported
  bool has_sent_disconnect_ = false;  // DISCONNECT is the last packet
  Connack connack_;
  std::optional<Loss> end_;
  TimePoint last_sent_{};
  TimePoint last_received_{};
  std::optional<TimePoint> pinged_at_;  // while a PINGRESP is missing
};

}  // namespace sluice::mqtt
