// The only file that knows prometheus-cpp, and of that only the serializer: nothing is registered,
// the families are rebuilt from the plain counters at each scrape.
#include "admin/metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <cstdint>
#include <limits>
#include <string_view>
#include <utility>
#include <vector>

#include "base/log.h"

namespace sluice::admin {
namespace {

using app::BrokerView;
using Family = prometheus::MetricFamily;
using Label = prometheus::ClientMetric::Label;
using Labels = std::vector<Label>;
using prometheus::MetricType;
using protocol::ErrorKind;

Family family(MetricType type, std::string name, std::string help) {
  return {std::move(name), std::move(help), type, {}};
}
Family counter(std::string name, std::string help) {
  return family(MetricType::Counter, std::move(name), std::move(help));
}
Family gauge(std::string name, std::string help) {
  return family(MetricType::Gauge, std::move(name), std::move(help));
}

template <class Number>
void add(Family& to, Labels labels, Number value) {
  prometheus::ClientMetric metric;
  metric.label = std::move(labels);
  metric.counter.value = metric.gauge.value = static_cast<double>(value);
  to.metric.push_back(std::move(metric));
}

void add_results(Family& to, const std::string& broker, std::uint64_t ok, const auto& errors_of) {
  add(to, {{"broker", broker}, {"result", "ok"}}, ok);
  for (std::size_t i = 0; i < protocol::kErrorKinds; ++i) {
    const auto error = static_cast<ErrorKind>(i);
    add(to, {{"broker", broker}, {"result", std::string(to_string(error))}}, errors_of(error));
  }
}

Family requests(const app::App& app, const std::vector<BrokerView>& brokers) {
  Family made = counter("sluice_requests_total",
                        "Requests settled, by broker and result; one for several brokers counts "
                        "once for each; broker=\"\": it reached none.");
  const client::ServerCounters& clients = app.server().counters();
  const ledger::ResultCounters& unrouted = app.ledger().unrouted();
  add_results(made, "", clients.authenticated + unrouted.ok(),
              [&](ErrorKind error) { return clients.faults_of(error) + unrouted.of(error); });
  for (const BrokerView& broker : brokers) {
    const ledger::ResultCounters& results = broker.counters.results;
    add_results(made, broker.pool.name(), results.ok(),
                [&](ErrorKind error) { return results.of(error); });
  }
  return made;
}

Family latencies(const std::vector<BrokerView>& brokers) {
  Family made = family(MetricType::Histogram, "sluice_publish_latency_seconds",
                       "Time from decoding a request to its copy for this broker settled, "
                       "whatever the result.");
  for (const BrokerView& broker : brokers) {
    const LatencyHistogram& latency = broker.counters.latency;
    prometheus::ClientMetric metric;
    metric.label = {{"broker", broker.pool.name()}};
    std::uint64_t cumulative = 0;
    for (std::size_t i = 0; i < LatencyHistogram::kBuckets; ++i) {
      cumulative += latency.count_in(i);
      const bool is_last = i == LatencyHistogram::kBounds.size();
      const double bound = is_last ? std::numeric_limits<double>::infinity()
                                   : LatencyHistogram::seconds(LatencyHistogram::kBounds[i]);
      metric.histogram.bucket.push_back({cumulative, bound});
    }
    metric.histogram.sample_count = cumulative;
    metric.histogram.sample_sum = latency.sum_seconds();
    made.metric.push_back(std::move(metric));
  }
  return made;
}

Family connections(const std::vector<BrokerView>& brokers) {
  Family made = gauge("sluice_broker_connections",
                      "MQTT connections by state: up takes messages, connecting waits "
                      "for its CONNACK, down is neither.");
  for (const BrokerView& broker : brokers) {
    const std::size_t all = broker.pool.connections();
    const std::size_t up = broker.pool.ready_links();
    std::size_t connecting = 0;
    for (std::size_t slot = 0; slot < all; ++slot) {
      if (broker.pool.link(slot).state() == mqtt::LinkState::Connecting) ++connecting;
    }
    const std::string& name = broker.pool.name();
    add(made, {{"broker", name}, {"state", "up"}}, up);
    add(made, {{"broker", name}, {"state", "connecting"}}, connecting);
    add(made, {{"broker", name}, {"state", "down"}}, all - up - connecting);
  }
  return made;
}

Family connect_failures(const std::vector<BrokerView>& brokers) {
  Family made = counter("sluice_connect_failures_total",
                        "Failed attempts to connect, by what they failed at.");
  for (const BrokerView& broker : brokers) {
    const auto& failures = broker.pool.counters().connect_failures;
    for (std::size_t i = 0; i < failures.size(); ++i) {
      const std::string reason(to_string(static_cast<mqtt::FailureReason>(i)));
      add(made, {{"broker", broker.pool.name()}, {"reason", reason}}, failures.at(i));
    }
  }
  return made;
}

/// One number per broker.
Family of_each(Family made, const std::vector<BrokerView>& brokers, const auto& number_of) {
  for (const BrokerView& broker : brokers)
    add(made, {{"broker", broker.pool.name()}}, number_of(broker.pool));
  return made;
}

void append_brokers(std::vector<Family>& to, const std::vector<BrokerView>& brokers) {
  using mqtt::Pool;
  to.push_back(connections(brokers));
  to.push_back(of_each(gauge("sluice_broker_dead",
                             "1 while the broker has had no connection for dead_after_ms, or none "
                             "since the start; else 0."),
                       brokers, [](const Pool& pool) { return pool.is_dead() ? 1 : 0; }));
  to.push_back(of_each(gauge("sluice_broker_silent",
                             "1 while the broker has connections, but acknowledges nothing of what "
                             "it was handed; else 0."),
                       brokers, [](const Pool& pool) { return pool.silent_since() ? 1 : 0; }));
  to.push_back(
      of_each(gauge("sluice_inflight", "Messages handed to a connection and not acknowledged yet."),
              brokers, [](const Pool& pool) { return pool.in_flight(); }));
  to.push_back(of_each(gauge("sluice_queued", "Messages that wait for a connection."), brokers,
                       [](const Pool& pool) { return pool.queued(); }));
  to.push_back(of_each(
      gauge("sluice_queue_limit", "queue_messages: the queue length at which clients are paused."),
      brokers, [](const Pool& pool) { return pool.broker().queue_messages; }));
  std::size_t queued_bytes = 0;
  for (const BrokerView& broker : brokers)
    queued_bytes += broker.pool.queued_bytes();
  to.push_back(gauge("sluice_queued_bytes",
                     "Bytes of the messages that wait for a connection, all brokers together."));
  add(to.back(), {}, queued_bytes);
  to.push_back(of_each(counter("sluice_socket_full_total",
                               "How often a socket took less than it was given; the rest followed "
                               "when it had room again."),
                       brokers, [](const Pool& pool) { return pool.counters().socket_full; }));
  to.push_back(
      of_each(counter("sluice_reconnects_total", "Connections re-established after one was lost."),
              brokers, [](const Pool& pool) { return pool.counters().reconnects; }));
  to.push_back(connect_failures(brokers));
  to.push_back(of_each(counter("sluice_redelivered_total",
                               "Messages sent again because their connection was lost before they "
                               "were acknowledged."),
                       brokers, [](const Pool& pool) { return pool.counters().redelivered; }));
  to.push_back(of_each(counter("sluice_session_taken_over_total",
                               "Connections lost to another client with the same identifier, or "
                               "probably so."),
                       brokers, [](const Pool& pool) { return pool.counters().taken_over; }));
}

void append_clients(std::vector<Family>& to, const client::ServerCounters& counters) {
  to.push_back(gauge("sluice_clients", "Client connections: read from, or paused."));
  add(to.back(), {{"state", "reading"}}, counters.connections - counters.paused);
  add(to.back(), {{"state", "paused"}}, counters.paused);
  to.push_back(counter("sluice_requests_dropped_total",
                       "Requests that were dropped because their client had gone while they waited "
                       "for room."));
  add(to.back(), {}, counters.dropped);
  to.push_back(counter("sluice_client_pauses_total",
                       "How often a client was no longer read from: the broker's queue full, its "
                       "pipeline full, its output unread, all input_bytes in use."));
  for (const client::PauseReason reason : client::kAllPauseReasons) {
    add(to.back(), {{"reason", std::string(to_string(reason))}}, counters.pauses_for(reason));
  }
}

void append_process(std::vector<Family>& to, const ProcessUsage& usage) {
  const auto append = [&to](Family made, auto value) {
    add(made, {}, value);
    to.push_back(std::move(made));
  };
  append(counter("process_cpu_seconds_total", "User and system CPU time spent, in seconds."),
         usage.cpu_seconds);
  append(gauge("process_start_time_seconds", "When the process started, in seconds since 1970."),
         usage.start_time_seconds);
  append(gauge("process_resident_memory_bytes", "Resident memory, in bytes."),
         usage.resident_bytes);
  append(gauge("process_virtual_memory_bytes", "Virtual memory, in bytes."), usage.virtual_bytes);
  append(gauge("process_open_fds", "Open descriptors."), usage.open_descriptors);
  append(gauge("process_max_fds", "Limit of open descriptors."), usage.max_descriptors);
}

}  // namespace

std::string metrics_text(const app::App& app, const ProcessUsage& process) {
  const std::vector<BrokerView> brokers = app.brokers();
  std::vector<Family> families;
  families.push_back(requests(app, brokers));
  families.push_back(latencies(brokers));
  append_clients(families, app.server().counters());
  append_brokers(families, brokers);
  families.push_back(counter("sluice_config_reloads_total",
                             "Reloads of the configuration: applied, or rejected."));
  add(families.back(), {{"result", "ok"}}, app.reloads().ok);
  add(families.back(), {{"result", "refused"}}, app.reloads().refused);
  families.push_back(counter("sluice_log_lines_lost_total",
                             "Log lines that could not be written: a full disk, or a reader of "
                             "standard error that stalled."));
  add(families.back(), {}, log::lines_lost());
  families.push_back(gauge("sluice_build_info", "Always 1; the version is in the label."));
  add(families.back(), {{"version", SLUICE_VERSION}}, 1);
  append_process(families, process);
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace sluice::admin
