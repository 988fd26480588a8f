// One connection accepted by the simulated broker: its bytes in and out, and its impairments.
// FaultyBroker interprets its packets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "mqtt_wire.h"
#include "poller.h"
#include "run_ledger.h"
#include "tls_server_end.h"

namespace sluice::ledger_run {

class FaultyBroker;

class BrokerSession final : public Pollable {
 public:
  enum class State : std::uint8_t {
    Fresh,   ///< no CONNECT yet
    Live,    ///< connected
    Ended,   ///< closing; further input is dropped
    Closed,  ///< may be destroyed
  };
  /// What faults do to it.
  struct Impairments {
    bool is_silent = false;     ///< reads, and never answers again
    bool swallows = false;      ///< records, and acknowledges nothing
    unsigned acks_to_lose = 0;  ///< number of further acknowledgements to lose
  };
  /// A message between its PUBLISH and the end of its handshake.
  struct Open {
    std::uint32_t device = 0;
    std::uint64_t number = 0;
  };

  /// `tls` null: plain TCP.
  BrokerSession(FaultyBroker& broker, Poller& poller, int fd, const wire::TlsServer* tls);
  ~BrokerSession();
  BrokerSession(const BrokerSession&) = delete;
  BrokerSession& operator=(const BrokerSession&) = delete;

  void on_events(std::uint32_t events) override;

  /// Sends the bytes `delay` from now.
  void send(std::string&& bytes, Nanoseconds delay, Nanoseconds now);
  /// The same for the last acknowledgement of a message.
  void send_last(std::string&& bytes, Nanoseconds delay, Nanoseconds now);
  /// Sends the delayed bytes that are due.
  void send_due(Nanoseconds now);
  void freeze();
  void thaw();
  /// Continues reading after the broker's bandwidth was used up.
  void read_on();

  void reset();
  /// Sends the output, then shuts the connection down.
  void close_gracefully(Nanoseconds now);
  /// Closes it if the peer does not close in time.
  void close_if_overdue(Nanoseconds now);

  State state() const { return state_; }
  bool is_live() const { return state_ == State::Live; }
  bool is_open() const { return state_ == State::Fresh || state_ == State::Live; }
  bool is_frozen() const { return is_frozen_; }
  /// The connection is open for the peer, too. Reliable only while nothing is frozen.
  bool peer_holds_it() const;

  void become_live(bool is_v5, std::string client_id, const PublishSource& source,
                   std::size_t receive_maximum);
  bool is_v5() const { return is_v5_; }
  const std::string& client_id() const { return client_id_; }
  const PublishSource& source() const { return source_; }
  std::size_t receive_maximum() const { return receive_maximum_; }

  Impairments impairments;
  std::unordered_map<std::uint16_t, Open> open;  ///< by packet identifier
  /// QoS 2, in the order of their PUBRECs, in which their PUBRELs must come.
  std::deque<std::uint16_t> received;
  /// Messages whose last acknowledgement has not been written yet.
  std::size_t in_flight = 0;

 private:
  void read();
  void take(std::string_view bytes);
  void take_packets();
  void flush();
  void encrypt();
  void watch_what_is_needed();
  void close();

  FaultyBroker& broker_;
  Poller& poller_;
  int fd_;
  State state_ = State::Fresh;
  std::uint32_t watched_ = 0;
  bool is_watched_ = false;
  bool is_frozen_ = false;
  bool is_throttled_ = false;
  std::unique_ptr<wire::TlsServerEnd> tls_;
  std::string input_;
  std::string output_;   // packets
  std::string sending_;  // the socket's bytes
  std::size_t written_ = 0;
  struct Later {
    Nanoseconds due = 0;
    std::string bytes;
    std::size_t ends = 0;  // messages completed by these bytes
  };
  void put(std::string&& bytes, std::size_t ends, Nanoseconds delay, Nanoseconds now);

  std::size_t ends_in_output_ = 0;
  std::deque<Later> later_;
  Nanoseconds ended_at_ = 0;

  bool is_v5_ = false;
  std::string client_id_;
  PublishSource source_;
  std::size_t receive_maximum_ = 65535;
};

}  // namespace sluice::ledger_run
