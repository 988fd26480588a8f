// What passes on one connection of the broker fuzzer. Both directions are read here once more, by
// code that shares nothing with sluice's, to know what the broker has acknowledged and what it got.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker_records.h"
#include "config/config.h"
#include "mqtt_wire.h"

namespace sluice::fuzz {

/// Cuts a stream into packets, of which it keeps only the beginning.
class PacketCutter {
 public:
  /// Takes bytes from the front up to the end of a packet. True: it is whole.
  bool take(std::string_view& bytes);
  /// Its body is cut off after a few bytes. Valid until the next take().
  wire::Packet packet() const;
  /// No packet has such a length; nothing is taken any more.
  bool is_broken() const noexcept { return is_broken_; }

 private:
  static constexpr std::size_t kKeptBytes = 64;
  bool is_whole() const noexcept { return size_ && taken_ == *size_; }

  std::string head_;
  std::optional<std::size_t> size_;  // once it is known
  std::size_t taken_ = 0;
  bool is_broken_ = false;
};

/// Belongs to a transport.
class ConnectionWitness {
 public:
  ConnectionWitness(Records& records, config::Protocol protocol) noexcept
      : records_(records), is_v5_(protocol == config::Protocol::V5) {}

  /// A message has got this packet identifier.
  void on_handed_over(std::uint16_t packet_id, std::size_t number);
  /// The session is about to read these bytes of the broker.
  void on_received(std::string_view bytes);
  /// It has read them without finding a fault, and has reported what came of them.
  void check_outcomes();
  /// The socket has taken these bytes of the session.
  void on_taken(std::string_view bytes);

  bool is_v5() const noexcept { return is_v5_; }
  /// The identifier of the n-th message without an outcome; beyond these an unknown one.
  std::uint16_t id_of(std::size_t n) const;
  /// Answers to the broker's packets that the socket has not taken.
  std::size_t unsent_answers() const noexcept { return answers_wanted_ - answers_; }

 private:
  /// A message of QoS 1 or 2 without an outcome.
  struct Unacknowledged {
    std::size_t number = 0;
    bool has_pubrec = false;
  };

  void read_input(const wire::Packet& packet);
  void read_ack(const wire::Packet& packet);
  bool has_error(const wire::Packet& ack) const noexcept;
  void read_output(const wire::Packet& packet);
  void read_publish(const wire::Packet& packet);

  Records& records_;
  const bool is_v5_;
  bool has_taken_disconnect_ = false;
  PacketCutter input_;
  PacketCutter output_;
  std::map<std::uint16_t, Unacknowledged> unacknowledged_;
  std::map<std::uint16_t, std::size_t> numbers_;  // by packet identifier, acknowledged ones, too
  std::vector<std::size_t> outcomes_;             // known since the latest check_outcomes()
  std::size_t answers_wanted_ = 0;
  std::size_t answers_ = 0;
};

}  // namespace sluice::fuzz
