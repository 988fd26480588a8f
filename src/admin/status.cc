#include "admin/status.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "admin/json_writer.h"

namespace sluice::admin {
namespace {

using app::BrokerView;
using protocol::ErrorKind;

constexpr std::size_t kMostPaused = 20;

double seconds(Duration duration) {
  return static_cast<double>(duration.count()) / 1000.0;
}

void write_results(JsonWriter& json, std::uint64_t ok, const auto& errors_of) {
  json.open_object("requests");
  json.number("ok", ok);
  for (std::size_t i = 0; i < protocol::kErrorKinds; ++i) {
    const auto error = static_cast<ErrorKind>(i);
    json.number(to_string(error), errors_of(error));
  }
  json.close_object();
}

/// `counts` goes with LatencyHistogram's bounds, the last one beyond all of them: from two samples
/// a page can compute the quantiles of the time between them.
void write_latency(JsonWriter& json, const LatencyHistogram& latency) {
  json.open_object("latency");
  json.number("count", latency.count());
  json.number("sum_s", latency.sum_seconds());
  json.number("p50_s", latency.quantile_seconds(0.5));
  json.number("p95_s", latency.quantile_seconds(0.95));
  json.number("p99_s", latency.quantile_seconds(0.99));
  json.open_array("bounds_s");
  for (const auto bound : LatencyHistogram::kBounds)
    json.number({}, LatencyHistogram::seconds(bound));
  json.close_array();
  json.open_array("counts");
  for (std::size_t i = 0; i < LatencyHistogram::kBuckets; ++i)
    json.number({}, latency.count_in(i));
  json.close_array();
  json.close_object();
}

std::string_view state_of(const mqtt::Pool& pool) {
  if (pool.is_dead()) return "dead";
  return pool.ready_links() > 0 ? "up" : "down";
}

/// null where there is none.
void write_time(JsonWriter& json, std::string_view key, const std::optional<TimePoint>& time,
                const WallClock& clock) {
  if (time) {
    json.text(key, clock.text(*time));
  } else {
    json.null(key);
  }
}

void write_connection_status(JsonWriter& json, const mqtt::ConnectionStatus& status,
                             const WallClock& clock) {
  write_time(json, "down_since", status.down_since, clock);
  if (status.last_error.empty()) {
    json.null("last_error");
  } else {
    json.text("last_error", status.last_error);
  }
  write_time(json, "next_attempt", status.next_attempt, clock);
}

void write_broker(JsonWriter& json, const BrokerView& broker, const WallClock& clock) {
  const mqtt::Pool& pool = broker.pool;
  const config::Broker& settings = pool.broker();
  json.open_object();
  json.text("name", pool.name());
  json.text("host", settings.host);
  json.number("port", settings.port);
  json.boolean("tls", settings.tls_enabled);
  json.number("min_dev_no", settings.min_dev_no);
  json.number("max_dev_no", settings.max_dev_no);
  json.text("state", broker.is_removed ? "leaving" : state_of(pool));
  write_connection_status(json, pool.status(), clock);
  write_time(json, "silent_since", pool.silent_since(), clock);
  json.number("connections_up", pool.ready_links());
  json.number("in_flight", pool.in_flight());
  json.number("queued", pool.queued());
  json.number("queued_bytes", pool.queued_bytes());
  json.number("queue_messages", settings.queue_messages);
  json.number("queue_bytes", settings.queue_bytes);
  json.number("waiting_clients", broker.parked);
  json.number("reconnects", pool.counters().reconnects);
  json.number("redelivered", pool.counters().redelivered);
  json.number("socket_full", pool.counters().socket_full);
  json.number("taken_over", pool.counters().taken_over);
  const ledger::ResultCounters& results = broker.counters.results;
  write_results(json, results.ok(), [&](ErrorKind error) { return results.of(error); });
  write_latency(json, broker.counters.latency);
  json.open_array("connections");
  for (std::size_t slot = 0; slot < pool.connections(); ++slot) {
    const mqtt::Link& link = pool.link(slot);
    json.open_object();
    json.number("slot", link.slot());
    json.text("state", to_string(link.state()));
    write_connection_status(json, pool.status_of(slot), clock);
    json.text("client_id", link.client_id());
    json.number("in_flight", link.in_flight());
    json.number("window", link.window());
    json.close_object();
  }
  json.close_array();
  json.close_object();
}

void write_paused(JsonWriter& json, const app::App& app, const client::PausedClient& paused) {
  json.open_object();
  json.text("peer", paused.peer);
  json.open_array("reasons");
  for (const client::PauseReason reason : paused.reasons)
    json.text({}, to_string(reason));
  json.close_array();
  if (const mqtt::Pool* pool = app.ledger().awaited_by(paused.origin)) {
    json.text("broker", pool->name());
  } else {
    json.null("broker");
  }
  json.number("paused_s", seconds(paused.paused_for));
  json.close_object();
}

void write_clients(JsonWriter& json, const app::App& app) {
  const client::ServerCounters& counters = app.server().counters();
  const client::PauseReport report = app.server().paused_clients(kMostPaused);
  json.open_object("clients");
  json.number("connected", counters.connections);
  json.number("max_connections", app.config().server.max_connections);
  json.number("reading", counters.connections - counters.paused);
  json.number("paused", counters.paused);
  json.number("half_closed", counters.half_closed);
  json.number("accepted", counters.accepted_total);
  json.number("refused", counters.refused_total);
  json.number("dropped", counters.dropped);
  json.open_object("paused_by_reason");
  for (const client::PauseReason reason : client::kAllPauseReasons)
    json.number(to_string(reason), report.by_reason[static_cast<std::size_t>(reason)]);
  json.close_object();
  json.open_object("pauses");
  for (const client::PauseReason reason : client::kAllPauseReasons)
    json.number(to_string(reason), counters.pauses_for(reason));
  json.close_object();
  json.open_array("paused_longest");
  for (const client::PausedClient& paused : report.longest)
    write_paused(json, app, paused);
  json.close_array();
  json.close_object();
}

}  // namespace

std::string status_text(const app::App& app, Duration uptime, const WallClock& clock) {
  JsonWriter json;
  json.open_object();
  json.text("version", SLUICE_VERSION);
  json.number("uptime_s", seconds(uptime));
  json.boolean("stopping", app.is_stopping());
  json.boolean("ready", !app.is_stopping() && app.failing_brokers().empty());
  // Requests that reached no broker; each broker counts its own.
  const client::ServerCounters& clients = app.server().counters();
  const ledger::ResultCounters& unrouted = app.ledger().unrouted();
  write_results(json, clients.authenticated + unrouted.ok(),
                [&](ErrorKind error) { return clients.faults_of(error) + unrouted.of(error); });
  write_clients(json, app);
  json.open_array("brokers");
  for (const BrokerView& broker : app.brokers())
    write_broker(json, broker, clock);
  json.close_array();
  json.open_object("config_reloads");
  json.number("ok", app.reloads().ok);
  json.number("refused", app.reloads().refused);
  json.close_object();
  json.close_object();
  return json.take();
}

}  // namespace sluice::admin
