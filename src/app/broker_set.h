// The pools of all brokers, kept over reloads.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "config/config.h"
#include "event/loop.h"
#include "event/timer.h"
#include "event/tls_context.h"
#include "ledger/ledger.h"
#include "mqtt/pool/client_id_registry.h"
#include "mqtt/pool/pool.h"
#include "mqtt/transport/mosquitto_transport.h"

namespace sluice::app {

/// The process's part of client identifiers.
struct Identity {
  std::string host;
  int pid = 0;
};

/// The certificate files of one broker, read.
struct Certificates {
  std::shared_ptr<event::TlsContext> context;
  std::size_t fingerprint = 0;  ///< of what the files contain
};

/// By the broker's name; only brokers with TLS.
using CertificatesByBroker = std::map<std::string, Certificates>;

/// Blocks while it reads files: not for the loop once it runs. The error names the broker and the
/// file.
Result<CertificatesByBroker> read_certificates(const config::Config& config);

/// A removed broker gets no new requests; its pool stays until all it holds is settled, and is used
/// again if the broker comes back before. Not thread-safe.
class BrokerSet {
 public:
  BrokerSet(event::Loop& loop, ledger::Ledger& ledger, Identity identity);
  ~BrokerSet();
  BrokerSet(const BrokerSet&) = delete;
  BrokerSet& operator=(const BrokerSet&) = delete;

  /// Applies the first configuration or another one: makes and changes pools, and gives the ledger
  /// its routes. Returns what changed, one phrase for each broker, for the log; no secrets.
  std::vector<std::string> apply(const config::Config& config,
                                 const CertificatesByBroker& certificates);
  /// Begins to connect; pools made later start on their own.
  void start();

  /// In the order of the configuration; then removed ones that still hold requests.
  struct Entry {
    std::unique_ptr<mqtt::Pool> pool;
    bool is_removed = false;
  };
  const std::vector<Entry>& all() const noexcept { return entries_; }

  void stop() noexcept;
  void close_now() noexcept;
  bool are_stopped() const noexcept;

 private:
  mqtt::PoolSettings settings_of(const config::Config& config, const config::Broker& broker,
                                 const CertificatesByBroker& certificates) const;
  std::vector<Entry*> match(const config::Config& config);
  void reap_removed() noexcept;
  void on_client_id_freed() noexcept;

  event::Loop& loop_;
  ledger::Ledger& ledger_;
  const Identity identity_;
  Random random_;
  mqtt::MosquittoLibrary library_;
  mqtt::ClientIdRegistry client_ids_;
  std::vector<Entry> entries_;
  event::Timer reap_timer_;  // runs while there is a removed broker
  bool started_ = false;
};

}  // namespace sluice::app
