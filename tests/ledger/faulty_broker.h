// The simulated broker: receives what sluice publishes, enters it into the ledger before
// acknowledging it, and misbehaves as ordered. It keeps no sessions: every connection starts clean,
// and a CONNECT closes the former connection of its client identifier.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "broker_session.h"
#include "poller.h"
#include "random.h"
#include "run_ledger.h"

namespace sluice::ledger_run {

/// What is wrong with the whole broker. Faults set it and reset it at their end.
struct Mode {
  bool is_frozen = false;        ///< accepts and reads nothing
  bool take_over_waits = false;  ///< a new connection with a frozen one's identifier gets no answer
  bool is_silent = false;        ///< new connections never get an answer
  bool swallows = false;         ///< new connections get no acknowledgements
  std::uint8_t connack_code = 0;      ///< refuses new connections
  std::uint8_t old_connack_code = 0;  ///< the same as a code of MQTT 3.1.1
  std::uint8_t refusal_code = 0;      ///< refuses every third message
  std::uint16_t receive_maximum = 0;  ///< 0: none announced
  Nanoseconds delay = 0;              ///< of every answer
  std::size_t bytes_per_second = 0;   ///< read bandwidth; 0: unlimited
};

/// How the broker drops a connection because of a poison message.
enum class DropWay : std::uint8_t { Gracefully, Reset, WithReason };

class FaultyBroker final : public Pollable {
 public:
  FaultyBroker(Poller& poller, RunLedger& ledger, std::uint64_t seed, bool has_tls = false);
  ~FaultyBroker();
  FaultyBroker(const FaultyBroker&) = delete;
  FaultyBroker& operator=(const FaultyBroker&) = delete;

  std::uint16_t port() const { return port_; }
  void on_events(std::uint32_t events) override;
  /// Every turn: sends delayed answers and destroys closed connections.
  void tick(Nanoseconds now);

  // --- for faults
  Mode mode;
  void stop_listening();
  void listen();
  /// Live connections in the order of their identifiers.
  std::vector<BrokerSession*> live() const;
  /// Every open connection, also before its CONNECT.
  std::vector<BrokerSession*> all_open() const;
  void thaw_all();
  void disconnect(BrokerSession& session, std::uint8_t code);
  /// Makes the next new messages poison: the broker disconnects whenever it reads one of them.
  void choose_poison(unsigned messages, DropWay way);
  /// A poison message is still to come or has no reply yet.
  bool waits_for_poison() const;
  std::size_t silent_sessions() const;

  // --- for BrokerSession
  std::size_t bytes_allowed() const;
  void spend(std::size_t bytes);
  void on_packet(BrokerSession& session, const wire::Packet& packet);
  void on_malformed(BrokerSession& session);
  void on_closed(BrokerSession& session);

 private:
  void on_connect(BrokerSession& session, const wire::Packet& packet);
  void take_over(BrokerSession& old);
  void on_publish(BrokerSession& session, const wire::Packet& packet);
  Fate fate_of(BrokerSession& session, std::uint32_t device, std::uint64_t number);
  void on_pubrel(BrokerSession& session, const wire::Packet& packet);
  void check_release(BrokerSession& session, std::uint16_t packet_id);
  void acknowledge(BrokerSession& session, wire::Type type, std::uint16_t packet_id,
                   std::uint8_t code);
  void drop(BrokerSession& session);
  void complain(Breach kind, const BrokerSession& session, const std::string& what);

  Poller& poller_;
  RunLedger& ledger_;
  Random random_;
  std::optional<wire::TlsServer> tls_;
  std::uint16_t port_ = 0;
  int listener_ = -1;
  bool listener_is_frozen_ = false;
  std::vector<std::unique_ptr<BrokerSession>> sessions_;
  std::map<std::string, BrokerSession*> by_client_id_;
  std::uint32_t connects_ = 0;

  std::set<std::pair<std::uint32_t, std::uint64_t>> poison_;
  unsigned poison_wanted_ = 0;
  DropWay drop_way_ = DropWay::Gracefully;

  double budget_ = 0;  // bytes that may be read now, with a limited bandwidth
  Nanoseconds last_tick_ = 0;
};

}  // namespace sluice::ledger_run
