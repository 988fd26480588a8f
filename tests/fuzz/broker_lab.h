// A real ledger and pool for the broker fuzzer, with a clock that it moves and the checks of what
// holds whatever a broker does.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/random.h"
#include "broker_records.h"
#include "broker_transport.h"
#include "config/config.h"
#include "event/loop.h"
#include "event/timer.h"
#include "ledger/ledger.h"
#include "ledger/source.h"
#include "mqtt/pool/pool.h"

namespace sluice::fuzz {

class MovedClock final : public Clock {
 public:
  std::chrono::nanoseconds now() const noexcept override { return time; }
  std::chrono::nanoseconds time = std::chrono::hours(1000);
};

struct LabSettings {
  config::Protocol protocol = config::Protocol::V5;
  unsigned connections = 1;
  bool has_fixed_window = true;
};

/// One request to submit.
struct Wish {
  std::uint8_t qos = 1;
  std::size_t stream = 0;  ///< the client it comes from
  std::int64_t device = 1;
  Duration timeout{1000};
  std::size_t bytes = 0;  ///< of its payload, at least
};

class BrokerLab final : public ledger::Source {
 public:
  static constexpr std::size_t kStreams = 4;
  static constexpr Duration kLongestTimeout = std::chrono::seconds(20);

  explicit BrokerLab(const LabSettings& settings);
  ~BrokerLab();
  BrokerLab(const BrokerLab&) = delete;
  BrokerLab& operator=(const BrokerLab&) = delete;

  /// Does nothing while the stream waits for room.
  void submit(const Wish& wish);
  /// The client is gone.
  void close_stream(std::size_t stream);
  /// A reload with other settings for the connections.
  void reconfigure();
  /// Turns until the loop would sleep, and checks all limits.
  void settle();
  void advance(Duration time);
  /// The broker behaves from now on: all comes to its end, and a last request is answered.
  void finish();

  Network& network() noexcept { return network_; }

 private:
  struct Stream {
    std::uint32_t generation = 1;
    std::optional<std::size_t> waiting;  ///< the number of its request that waits for room
  };

  void delivered(const ledger::Origin& origin, const std::string& broker,
                 const mqtt::DeliveryOutcome& outcome) noexcept override;
  void settled(const ledger::Origin& origin, const protocol::Reply& reply,
               protocol::Request request) noexcept override;
  unsigned grant(const ledger::Origin& origin, unsigned most) noexcept override;
  log::Subject about(const ledger::Origin&) const noexcept override { return {}; }

  void turn();
  void check_limits();
  void behave();
  void on_keeper() noexcept {}

  const std::size_t heap_before_;
  MovedClock clock_;
  event::Loop loop_{&clock_};
  event::Timer keeper_{loop_, bind<&BrokerLab::on_keeper>(this)};  // a loop needs one to turn
  Random random_{7};
  Network network_;
  ledger::Ledger ledger_{loop_};
  mqtt::PoolSettings settings_;
  std::optional<mqtt::Pool> pool_;
  std::array<Stream, kStreams> streams_;
};

}  // namespace sluice::fuzz
