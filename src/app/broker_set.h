// The pools of all brokers over the life of the process, whatever the configuration says when.
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
#include "mqtt/pool/identifiers.h"
#include "mqtt/pool/pool.h"
#include "mqtt/transport/mosquitto_transport.h"

namespace sluice::app {

/// What the process is, for client identifiers.
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

/// Reads files, so not on a loop that has something to do. The error names the broker and the file.
Result<CertificatesByBroker> read_certificates(const config::Config& config);

/// A broker that is removed gets nothing new, and its pool stays until what it holds has come to
/// its end; if the broker comes back before, its pool goes on. Not thread-safe.
class BrokerSet {
 public:
  BrokerSet(event::Loop& loop, ledger::Ledger& ledger, Identity identity);
  ~BrokerSet();
  BrokerSet(const BrokerSet&) = delete;
  BrokerSet& operator=(const BrokerSet&) = delete;

  /// The first configuration, or another one: makes and changes pools, and tells the ledger.
  /// What has changed, one phrase for each broker, for the log; no secrets.
  std::vector<std::string> apply(const config::Config& config,
                                 const CertificatesByBroker& certificates);
  /// Begins to connect; pools made later begin by themselves.
  void start();

  /// In the order of the configuration; then those that are leaving.
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
  void on_identifier_freed() noexcept;

  event::Loop& loop_;
  ledger::Ledger& ledger_;
  const Identity identity_;
  Random random_;
  mqtt::MosquittoLibrary library_;
  mqtt::Identifiers identifiers_;
  std::vector<Entry> entries_;
  event::Timer reap_timer_;  // runs only while somebody is leaving
  bool started_ = false;
};

}  // namespace sluice::app
