// One MQTT connection from the CONNACK on, without its socket: what packets do to it, and what it
// has to say.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "config/config.h"
#include "mqtt/transport/packet_states.h"
#include "mqtt/transport/send_buffer.h"
#include "mqtt/transport/transport.h"
#include "mqtt/transport/wire_decoder.h"
#include "protocol/request.h"

namespace sluice::mqtt {

/// Its owner moves bytes: what came goes to receive(), what next_output() gives goes out and
/// is then sent(). Not thread-safe; no I/O, and no clock but the times it is given.
class Session {
 public:
  struct Ack {
    std::uint16_t packet_id;
    int reason_code;
  };

  /// `keepalive_s`: as the CONNECT asked for; 0: none.
  Session(config::Protocol protocol, unsigned keepalive_s) noexcept;

  // --- what comes
  void receive(std::string_view bytes, TimePoint now);
  /// Sends a ping where one is due, or finds that the last one has no answer. About twice a second.
  void tick(TimePoint now);
  /// False: answers wait for a broker that sends without reading; nothing is read until it does.
  bool wants_input() const noexcept;

  // --- what goes
  /// Only while connected. Broken: end() says why.
  PublishStatus publish(const protocol::Request& request, std::uint16_t& packet_id);
  /// The last packet that is sent.
  void disconnect();
  /// Fills `to` with what goes out next, piece by piece; returns how many there are. Valid until
  /// the next call.
  std::size_t next_output(std::span<std::string_view> to) const noexcept {
    return output_.next(to);
  }
  /// Bytes that are not out yet.
  std::size_t unsent() const noexcept { return output_.unsent(); }
  /// The socket took so many bytes of next_output().
  void sent(std::size_t bytes, TimePoint now);

  // --- how it stands
  bool is_connected() const noexcept { return is_connected_; }
  const Connack& connack() const noexcept { return connack_; }
  /// Messages that have their outcome, in that order; release() each when it is reported.
  std::vector<Ack>& acks() noexcept { return acks_; }
  /// A message that was handed over has no outcome yet.
  bool awaits_outcomes() const noexcept { return states_.used() > acks_.size(); }
  /// The packet identifier may be used again.
  void release(std::uint16_t packet_id) noexcept { states_.set(packet_id, Awaits::Nothing); }
  /// Why it is over, as far as packets tell, and then nothing is taken any more. Where the broker
  /// gave a reason code, its text is for the caller to find.
  const std::optional<Loss>& end() const noexcept { return end_; }

 private:
  struct Sending {
    std::uint16_t packet_id;
    std::uint64_t end;  // as SendBuffer::taken() counts
  };

  /// The broker's first packet must be one that answers the CONNECT.
  void check_first(PacketType type);
  void take(const Packet& packet, TimePoint now);
  void take_connack(const Packet& packet, TimePoint now);
  void take_puback(const Packet& packet);
  void take_pubrec(const Packet& packet);
  void take_pubcomp(const Packet& packet);
  void take_publish(const Packet& packet);
  void take_disconnect(const Packet& packet);
  void complete(const Packet& packet);
  void answer(PacketType type, std::uint16_t packet_id);
  /// The broker has done what MQTT does not allow.
  void fail(std::string_view what);

  const config::Protocol protocol_;
  Duration keep_alive_;
  PacketDecoder decoder_;
  SendBuffer output_;
  PacketStates states_;
  std::vector<Ack> acks_;
  std::vector<Sending> sending_;  // QoS 0, oldest first: the socket has not taken all of it yet
  std::size_t answers_ = 0;       // bytes of them, since the output was empty
  bool is_connected_ = false;
  bool has_sent_disconnect_ = false;  // DISCONNECT is the last packet
  Connack connack_;
  std::optional<Loss> end_;
  TimePoint last_sent_{};
  TimePoint last_received_{};
  std::optional<TimePoint> pinged_at_;  // until the answer comes
};

}  // namespace sluice::mqtt
