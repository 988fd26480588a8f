// The stand-in for a broker: takes what sluice publishes, enters it into the ledger before it
// acknowledges, and misbehaves as it is told. Sessions are never kept: every connection starts
// clean, and a CONNECT ends the identifier's connection from before.
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

/// What is wrong with the broker as a whole. Set by faults, back to this by their end.
struct Mode {
  bool is_frozen = false;         ///< accepts and reads nothing
  bool take_over_waits = false;   ///< who connects with a frozen one's identifier gets no answer
  bool is_silent = false;         ///< who connects now gets no answer, ever
  bool swallows = false;          ///< who connects now gets no acknowledgement
  std::uint8_t connack_code = 0;  ///< refuses who connects now
  std::uint8_t old_connack_code = 0;  ///< the same in the words of 3.1.1
  std::uint8_t refusal_code = 0;      ///< refuses every third message
  std::uint16_t receive_maximum = 0;  ///< 0: says nothing
  Nanoseconds delay = 0;              ///< of every answer
  std::size_t bytes_per_second = 0;   ///< reads no faster; 0: at any speed
};

/// How the broker ends a connection because of one message.
enum class DropWay : std::uint8_t { Gracefully, Reset, WithReason };

class FaultyBroker final : public Pollable {
 public:
  FaultyBroker(Poller& poller, RunLedger& ledger, std::uint64_t seed, bool has_tls = false);
  ~FaultyBroker();
  FaultyBroker(const FaultyBroker&) = delete;
  FaultyBroker& operator=(const FaultyBroker&) = delete;

  std::uint16_t port() const { return port_; }
  void on_events(std::uint32_t events) override;
  /// Every turn: what is late goes out, what is over is cleared away.
  void tick(Nanoseconds now);

  // --- for faults
  Mode mode;
  void stop_listening();
  void listen();
  /// Live connections in the order of their identifiers.
  std::vector<BrokerSession*> live() const;
  /// Every connection that is open, also one without a CONNECT.
  std::vector<BrokerSession*> all_open() const;
  void thaw_all();
  void disconnect(BrokerSession& session, std::uint8_t code);
  /// From now on the broker hangs up whenever it reads a certain message: the next one that comes.
  void choose_poison(unsigned messages, DropWay way);
  /// A poisonous message is wanted or has no reply yet.
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

  double budget_ = 0;  // bytes that may be read at once, where the bandwidth is bounded
  Nanoseconds last_tick_ = 0;
};

}  // namespace sluice::ledger_run
