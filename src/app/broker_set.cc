#include "app/broker_set.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <random>
#include <utility>

#include "base/log.h"
#include "config/difference.h"
#include "config/file.h"

namespace sluice::app {
namespace {

/// How often removed brokers are checked for requests that are left.
constexpr Duration kReapInterval = std::chrono::milliseconds(50);

std::uint64_t seed() {
  std::random_device device;
  return (static_cast<std::uint64_t>(device()) << 32) | device();
}

/// Unreadable files are reported by TlsContext::make().
std::size_t fingerprint_of(const config::BrokerTls& tls) {
  std::string all;
  for (const std::string& path : {tls.ca, tls.certificate, tls.key}) {
    const auto content = path.empty() ? Result<std::string>(std::string())
                                      : config::read_file(path, config::kMaxFileBytes);
    if (content) all += fmt::format("{}:{}", content.value().size(), content.value());
  }
  return std::hash<std::string>{}(all);
}

event::TlsSettings tls_of(const config::Broker& broker) {
  return {.host = broker.host,
          .ca = broker.tls.ca,
          .certificate = broker.tls.certificate,
          .key = broker.tls.key,
          .verify = !broker.tls.insecure,
          .peer = "the broker",
          .plain_question = "is it mqtt:// without s?"};
}

bool has_other_identifiers(const mqtt::Pool& pool, const mqtt::PoolSettings& next) {
  for (std::size_t slot = 0; slot < std::min(pool.connections(), next.client_ids.size()); ++slot) {
    if (pool.link(slot).wanted_client_id() != next.client_ids[slot]) return true;
  }
  return false;
}

/// What a reload changes for a broker; empty if nothing.
std::string describe(const BrokerSet::Entry& entry, const mqtt::PoolSettings& next) {
  config::Broker former = entry.pool->broker();
  const std::string about = "broker " + former.name;
  std::vector<std::string> changes;
  if (entry.is_removed) changes.emplace_back("back");
  if (former.name != next.broker.name)
    changes.push_back(fmt::format("renamed {}", next.broker.name));
  former.name = next.broker.name;
  if (entry.pool->connection_key() != next.connection_key ||
      has_other_identifiers(*entry.pool, next)) {
    changes.emplace_back("connections are replaced");
  } else if (!(former == next.broker)) {
    changes.emplace_back("changed");
  }
  return changes.empty() ? "" : fmt::format("{}: {}", about, fmt::join(changes, ", "));
}

}  // namespace

Result<CertificatesByBroker> read_certificates(const config::Config& config) {
  CertificatesByBroker all;
  for (const config::Broker& broker : config.brokers) {
    if (!broker.tls_enabled) continue;
    // In this order: files that change in between are read again next time.
    const std::size_t fingerprint = fingerprint_of(broker.tls);
    auto context = event::TlsContext::make(tls_of(broker));
    if (!context) return Error{"broker " + broker.name + ": " + context.error().what};
    all[broker.name] = {std::move(context).value(), fingerprint};
  }
  return all;
}

BrokerSet::BrokerSet(event::Loop& loop, ledger::Ledger& ledger, Identity identity)
    : loop_(loop),
      ledger_(ledger),
      identity_(std::move(identity)),
      random_(seed()),
      client_ids_(loop, bind<&BrokerSet::on_client_id_freed>(this)),
      reap_timer_(loop, bind<&BrokerSet::reap_removed>(this)) {}

BrokerSet::~BrokerSet() = default;

mqtt::PoolSettings BrokerSet::settings_of(const config::Config& config,
                                          const config::Broker& broker,
                                          const CertificatesByBroker& certificates) const {
  mqtt::PoolSettings settings;
  settings.broker = broker;
  for (unsigned slot = 0; slot < broker.connections; ++slot) {
    settings.client_ids.push_back(
        config::client_identifier(config, broker, slot, identity_.host, identity_.pid));
  }
  std::shared_ptr<event::TlsContext> tls;
  settings.connection_key = config::connection_key(broker);
  if (const auto found = certificates.find(broker.name); found != certificates.end()) {
    tls = found->second.context;
    settings.connection_key += fmt::format(" certificates={}", found->second.fingerprint);
  }
  settings.factory = [tls](event::Loop& loop, mqtt::TransportEvents& events,
                           const config::Broker& to) -> std::unique_ptr<mqtt::Transport> {
    return std::make_unique<mqtt::MosquittoTransport>(loop, events, to, tls);
  };
  return settings;
}

/// For each broker of the configuration the entry that it has already, or null.
std::vector<BrokerSet::Entry*> BrokerSet::match(const config::Config& config) {
  std::vector<config::KnownBroker> known;
  for (const Entry& entry : entries_)
    known.push_back({entry.pool->broker(), entry.is_removed});
  std::vector<Entry*> matches;
  for (const auto& match : config::match_brokers(known, config.brokers))
    matches.push_back(match ? &entries_[*match] : nullptr);
  return matches;
}

std::vector<std::string> BrokerSet::apply(const config::Config& config,
                                          const CertificatesByBroker& certificates) {
  const std::vector<Entry*> matches = match(config);
  std::vector<Entry> next;
  std::vector<mqtt::Pool*> pools;
  std::vector<const mqtt::Pool*> renamed;
  std::vector<ledger::Route> routes;
  std::vector<std::string> changes;
  for (std::size_t at = 0; at < config.brokers.size(); ++at) {
    const config::Broker& broker = config.brokers[at];
    mqtt::PoolSettings settings = settings_of(config, broker, certificates);
    if (matches[at] != nullptr) {
      if (std::string change = describe(*matches[at], settings); !change.empty())
        changes.push_back(std::move(change));
      next.push_back({std::move(matches[at]->pool)});
      mqtt::Pool& pool = *next.back().pool;
      if (pool.name() != broker.name) renamed.push_back(&pool);
      pool.reconfigure(std::move(settings));
    } else {
      next.push_back({std::make_unique<mqtt::Pool>(loop_, ledger_, random_, std::move(settings),
                                                   &client_ids_)});
      if (started_) next.back().pool->start();
      changes.push_back(fmt::format("broker {}: added", broker.name));
    }
    pools.push_back(next.back().pool.get());
    routes.push_back({broker.min_dev_no, broker.max_dev_no, at});
  }
  for (Entry& entry : entries_) {
    if (entry.pool == nullptr) continue;
    if (!entry.is_removed) changes.push_back(fmt::format("broker {}: removed", entry.pool->name()));
    next.push_back({std::move(entry.pool), /*is_removed=*/true});
  }
  entries_ = std::move(next);
  ledger_.reroute(pools, ledger::Router(routes));
  for (const mqtt::Pool* pool : renamed)
    ledger_.reset_counters(*pool);
  if (entries_.size() > pools.size()) reap_timer_.start_repeating(kReapInterval);
  return changes;
}

void BrokerSet::start() {
  started_ = true;
  for (const Entry& entry : entries_)
    entry.pool->start();
}

void BrokerSet::reap_removed() noexcept {
  for (Entry& entry : entries_) {
    if (!entry.is_removed) continue;
    mqtt::Pool& pool = *entry.pool;
    if (!ledger_.is_done_with(pool) || !pool.is_empty()) continue;
    pool.close_all();
    if (pool.connections() > 0) continue;
    log::info(log::Subject::broker(pool.name()), "removed; all its requests are settled");
    ledger_.drop(pool);
    entry.pool.reset();
  }
  std::erase_if(entries_, [](const Entry& entry) { return entry.pool == nullptr; });
  const bool is_any_left = std::any_of(entries_.begin(), entries_.end(),
                                       [](const Entry& entry) { return entry.is_removed; });
  if (!is_any_left) reap_timer_.stop();
}

void BrokerSet::on_client_id_freed() noexcept {
  for (const Entry& entry : entries_)
    entry.pool->retry();
}

void BrokerSet::stop() noexcept {
  reap_timer_.stop();
  for (const Entry& entry : entries_)
    entry.pool->stop();
}

void BrokerSet::close_now() noexcept {
  for (const Entry& entry : entries_)
    entry.pool->close_now();
}

bool BrokerSet::are_stopped() const noexcept {
  return std::all_of(entries_.begin(), entries_.end(),
                     [](const Entry& entry) { return entry.pool->is_stopped(); });
}

}  // namespace sluice::app
