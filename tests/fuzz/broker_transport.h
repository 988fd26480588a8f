// A link's transport around the real Session, without a socket: the fuzzer moves the bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "broker_connection.h"
#include "config/config.h"
#include "event/loop.h"
#include "mqtt/transport/session.h"
#include "mqtt/transport/transport.h"

namespace sluice::fuzz {

class BrokerTransport;

/// The transports that are not dropped, in the order of their attempts; and what all have in
/// common.
struct Network {
  Records records;
  std::vector<BrokerTransport*> open;
  bool is_unreachable = false;  ///< attempts fail at once
};

/// Reports as MosquittoTransport does: at once on what the fuzzer does, at the end of the turn on
/// what a call has found.
class BrokerTransport final : public mqtt::Transport {
 public:
  BrokerTransport(event::Loop& loop, mqtt::TransportEvents& events, const config::Broker& broker,
                  Network& network) noexcept;
  ~BrokerTransport() override { drop(false); }

  // --- the broker's side
  /// The socket is connected, and CONNECT is sent.
  void accept() noexcept;
  /// One read of at most kReadBytes; nothing is read before accept() and after the end.
  void receive(std::string_view bytes);
  /// The socket takes this many bytes more.
  void make_room(std::size_t bytes);
  /// What is in the socket now is all that it takes until make_room().
  void fill() noexcept { room_ = 0; }
  /// The broker closes the connection.
  void hang_up() noexcept;
  /// A packet can be received.
  bool is_established() const noexcept { return phase_ == Phase::Established; }
  ConnectionWitness& witness() noexcept { return *witness_; }

  // --- the link's side
  Result<void> connect(const mqtt::ConnectOptions& options) noexcept override;
  mqtt::PublishStatus publish(const protocol::Request& request,
                              std::uint16_t& packet_id) noexcept override;
  std::string_view awaits() const noexcept override { return "CONNACK"; }
  void flush() noexcept override;
  bool is_congested() const noexcept override;
  void expect_acks(std::size_t) noexcept override { network_.records.count_call(); }
  void tick() noexcept override;
  void disconnect() noexcept override;
  void drop(bool reset) noexcept override;

  static constexpr std::size_t kReadBytes = 16384;

 private:
  enum class Phase { Connecting, Established, Closing, Closed };

  void write_out();
  void settle() noexcept;
  void settle_and_report_later() noexcept;
  void report() noexcept;
  void report_acks() noexcept;
  mqtt::Loss describe_loss() const;

  event::Loop& loop_;
  mqtt::TransportEvents& events_;
  const config::Broker& broker_;
  Network& network_;
  Phase phase_ = Phase::Closed;
  std::optional<mqtt::Session> session_;      // from connect() on
  std::optional<ConnectionWitness> witness_;  // the same
  std::size_t room_ = std::numeric_limits<std::size_t>::max();
  bool waits_for_room_ = false;
  bool has_unflushed_ = false;
  bool is_connected_reported_ = false;
  bool is_congested_ = false;
  bool has_room_to_report_ = false;
  bool is_closing_ = false;  // disconnect() was called
  bool was_accepted_ = false;
  bool has_hung_up_ = false;
  std::optional<mqtt::Loss> loss_;  // to be reported
  std::vector<mqtt::Session::Ack> reporting_;
  event::Deferred report_;
};

}  // namespace sluice::fuzz
