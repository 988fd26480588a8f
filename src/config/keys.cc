// One function per table, one line per key. A value that contradicts another one of its own table
// is reported here too; checks across tables are in check.cc. [server] is in server_keys.cc.
#include "config/keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <limits>

#include "base/ascii.h"
#include "config/address.h"
#include "config/file.h"
#include "config/identifier.h"
#include "config/server_keys.h"
#include "config/text.h"

namespace sluice::config {
namespace {

using Milliseconds = std::chrono::milliseconds;

constexpr std::int64_t kHour = 3600000;  // in milliseconds
constexpr std::int64_t kTebibyte = std::int64_t{1} << 40;
constexpr Range kAnyNumber{std::numeric_limits<std::int64_t>::min(),
                           std::numeric_limits<std::int64_t>::max()};
/// The router keeps the brokers of each piece between two bounds: its memory grows with the square.
constexpr std::size_t kMaxBrokers = 1000;
constexpr std::size_t kMaxMqttText = 65535;  // MQTT 5.0, 1.5.4: a two-byte length

void read_defaults(Section& table, Defaults& defaults) {
  table.number("qos", defaults.qos, {0, 2});
  table.duration<Milliseconds>("publish_timeout_ms", defaults.publish_timeout, {1, 24 * kHour});
  table.finish();
}

void read_limits(Section& table, Limits& limits) {
  // A longer frame would begin with another byte than 0x00, which tells the framings apart.
  table.number("max_request_bytes", limits.max_request_bytes, {64, 16777215});
  table.number("max_json_depth", limits.max_json_depth, {1, 1024});
  table.number("max_pipeline", limits.max_pipeline, {1, 1000000});
  table.duration<Milliseconds>("max_timeout_ms", limits.max_timeout, {1, 24 * kHour});
  table.number("input_bytes", limits.input_bytes, {1024, kTebibyte});
  table.number("output_bytes", limits.output_bytes, {1024, kTebibyte});
  table.duration<Milliseconds>("request_timeout_ms", limits.request_timeout, {1, kHour});
  table.duration<Milliseconds>("write_timeout_ms", limits.write_timeout, {1, kHour});
  table.finish();
}

void read_replies(Section table, Replies& replies) {
  table.text("success", replies.success, 1024);
  table.text("failure", replies.failure, 1024);
  table.text("end", replies.end, 64);
  table.finish();
}

void read_log(Section table, log::Settings& settings) {
  table.choice<log::Level>("level", settings.level,
                           {{"trace", log::Level::Trace},
                            {"debug", log::Level::Debug},
                            {"info", log::Level::Info},
                            {"warn", log::Level::Warn},
                            {"error", log::Level::Error}});
  if (table.text("file", settings.file) && !settings.file.empty()) {
    const Result<void> appendable = check_appendable(settings.file);
    if (!appendable)
      table.fault("file", fmt::format("cannot write {}: {}", quoted(settings.file),
                                      appendable.error().what));
  }
  table.choice<log::Format>("format", settings.format,
                            {{"text", log::Format::Text}, {"json", log::Format::Json}});
  table.finish();
}

void read_admin(Section& table, Admin& admin) {
  std::string text;
  if (table.text("listen", text)) {
    auto address = parse_host_port(text);
    if (text.empty()) {
      admin.listen.reset();
    } else if (address) {
      admin.listen = std::move(address).value();
    } else {
      table.fault("listen", address.error().what);
    }
  }
  table.finish();
}

void read_url(Section& table, Broker& broker) {
  table.require("url", "mqtt://HOST[:PORT] or mqtts://HOST[:PORT]");
  if (!table.text("url", broker.url)) return;
  auto url = parse_broker_url(broker.url);
  if (!url) {
    table.fault("url", url.error().what);
    return;
  }
  broker.tls_enabled = url->tls;
  broker.host = std::move(url->host);
  broker.port = url->port;
}

void read_range(Section& table, Broker& broker) {
  table.require("min_dev_no", "an integer below every device_id of this broker");
  table.require("max_dev_no", "an integer above every device_id of this broker");
  const bool has_min = table.number("min_dev_no", broker.min_dev_no, kAnyNumber);
  const bool has_max = table.number("max_dev_no", broker.max_dev_no, kAnyNumber);
  if (!has_min || !has_max) return;
  const auto min = static_cast<std::uint64_t>(broker.min_dev_no);
  const auto max = static_cast<std::uint64_t>(broker.max_dev_no);
  // Unsigned, because the distance of two 64-bit numbers may not fit a signed one.
  if (broker.max_dev_no > broker.min_dev_no && max - min >= 2) return;
  table.fault("max_dev_no",
              fmt::format("expected at least 2 more than min_dev_no ({}), both being exclusive, "
                          "found {}",
                          broker.min_dev_no, broker.max_dev_no));
}

void read_client_id(Section& table, Broker& broker) {
  table.number("connections", broker.connections, {1, 10000});
  table.text("client_id", broker.client_id, kMaxMqttText);
  // A host name has at most 64 bytes, a process number 10 digits.
  const std::string host(64, 'h');
  const std::string instance(255, 'i');
  const auto longest =
      replace_placeholders(broker.client_id, {host, instance, broker.name, "9999", "2147483647"});
  if (!longest) {
    table.fault("client_id", longest.error().what);
  } else if (longest.value().empty() || longest.value().size() > kMaxMqttText) {
    table.fault("client_id", fmt::format("expected 1 to {} bytes with every placeholder replaced, "
                                         "found up to {}",
                                         kMaxMqttText, longest.value().size()));
  } else if (has_control_characters(broker.client_id)) {
    table.fault("client_id", "expected a text without control characters, found one");
  } else if (table.is_valid({"connections"}) && broker.connections > 1 &&
             broker.client_id.find("{slot}") == std::string::npos) {
    table.fault(
        "client_id",
        fmt::format("must contain {{slot}}: each of the {} connections needs its own client "
                    "ID",
                    broker.connections));
  }
}

void read_password(Section& table, Broker& broker) {
  std::string file;
  table.secret("password", broker.password, kMaxMqttText);
  if (!table.text("password_file", file) || file.empty()) return;
  if (!broker.password.empty()) {
    table.fault("password_file", "expected either password or password_file, found both");
    return;
  }
  auto line = read_first_line(file, kMaxMqttText);
  if (!line) {
    table.fault("password_file",
                fmt::format("cannot read {}: {}", quoted(file), line.error().what));
  } else if (line->empty() || line->find('\0') != std::string::npos) {
    table.fault("password_file", fmt::format("expected a password without U+0000 in the first line "
                                             "of {}, found none",
                                             quoted(file)));
  } else {
    broker.password = std::move(line).value();
  }
}

void read_login(Section& table, Broker& broker) {
  if (table.text("username", broker.username, kMaxMqttText) &&
      has_control_characters(broker.username))
    table.fault("username", "expected a text without control characters, found one");
  read_password(table, broker);
  table.choice<Protocol>("protocol", broker.protocol,
                         {{"5", Protocol::V5}, {"3.1.1", Protocol::V311}});
  // MQTT 3.1.1, [MQTT-3.1.2-22].
  if (broker.protocol == Protocol::V311 && broker.username.empty() && !broker.password.empty() &&
      table.is_valid({"username"}))
    table.fault("username", "required, since MQTT 3.1.1 allows no password without a user name");
}

void read_times(Section& table, Broker& broker) {
  if (table.number("keepalive_s", broker.keepalive_s, {0, 65535}) && broker.keepalive_s > 0 &&
      broker.keepalive_s < 5)
    table.fault("keepalive_s", fmt::format("expected 0 or an integer from 5 to 65535, found {}",
                                           broker.keepalive_s));
  table.duration<Milliseconds>("connect_timeout_ms", broker.connect_timeout, {1, kHour});
  table.duration<Milliseconds>("ack_timeout_ms", broker.ack_timeout, {1, kHour});
  table.duration<Milliseconds>("reconnect_min_ms", broker.reconnect_min, {1, kHour});
  table.duration<Milliseconds>("reconnect_max_ms", broker.reconnect_max, {1, 24 * kHour});
  table.duration<Milliseconds>("dead_after_ms", broker.dead_after, {0, kHour});
  table.choice<WhenDead>("when_dead", broker.when_dead,
                         {{"queue", WhenDead::Queue}, {"refuse", WhenDead::Refuse}});
  if (broker.reconnect_min > broker.reconnect_max &&
      table.is_valid({"reconnect_min_ms", "reconnect_max_ms"}))
    table.fault(table.is_given("reconnect_max_ms") ? "reconnect_max_ms" : "reconnect_min_ms",
                fmt::format("expected reconnect_min_ms not above reconnect_max_ms, found {} and {}",
                            broker.reconnect_min.count(), broker.reconnect_max.count()));
}

/// One of the files of `tls`, if it is named.
void read_tls_file(Section& table, std::string_view key, std::string& path) {
  if (!table.text(key, path) || path.empty()) return;
  const auto readable = check_readable(path);
  if (!readable)
    table.fault(key, fmt::format("cannot read {}: {}", quoted(path), readable.error().what));
}

void read_tls(Section table, const Section& broker_table, Broker& broker) {
  BrokerTls& tls = broker.tls;
  read_tls_file(table, "ca", tls.ca);
  read_tls_file(table, "certificate", tls.certificate);
  read_tls_file(table, "key", tls.key);
  table.flag("insecure", tls.insecure);
  table.finish();
  if (tls.certificate.empty() != tls.key.empty() && table.is_valid({"certificate", "key"}))
    table.fault(tls.key.empty() ? "certificate" : "key",
                "certificate and key must be set together, found only one");
  if (broker.tls_enabled || !broker_table.is_valid({"url"})) return;
  const auto refuse = [&table](std::string_view key) {
    table.fault(key, "allowed only with mqtts://, but url is mqtt://");
  };
  if (!tls.ca.empty()) refuse("ca");
  if (!tls.certificate.empty()) refuse("certificate");
  if (!tls.key.empty()) refuse("key");
  if (tls.insecure) refuse("insecure");
}

void read_broker(Section& table, Broker& broker) {
  table.require("name", fmt::format("a name of {}", kPlainName));
  if (table.text("name", broker.name, 255)) {
    table.expect_plain_name("name", broker.name);
    if (table.is_valid({"name"})) table.set_label(fmt::format("broker[{}]", broker.name));
  }
  read_url(table, broker);
  read_range(table, broker);
  read_client_id(table, broker);
  read_login(table, broker);
  read_times(table, broker);
  table.number_or("max_inflight", broker.max_inflight, {1, 65535}, "auto");
  table.number("max_qos", broker.max_qos, {0, 2});
  table.number("max_topic_levels", broker.max_topic_levels, {1, 201});
  table.number("max_incoming_packet_bytes", broker.max_incoming_packet_bytes, {1024, 268435460});
  table.number("inflight_bytes", broker.inflight_bytes, {1, kTebibyte});
  table.number("queue_messages", broker.queue_messages, {1, 1000000000});
  table.number("queue_bytes", broker.queue_bytes, {1, kTebibyte});
  read_tls(table.table("tls"), table, broker);
  table.finish();
}

}  // namespace

Tables read_keys(Reading& reading, const Node& document, Config& config) {
  Section root(reading, &document, "", {});
  Section server = root.table("server");
  Section defaults = root.table("defaults");
  Section limits = root.table("limits");
  std::vector<ListItem> listen = read_server(server, config.server);
  read_defaults(defaults, config.defaults);
  read_limits(limits, config.limits);
  read_replies(root.table("replies"), config.replies);
  read_log(root.table("log"), config.log);
  Section admin = root.table("admin");
  read_admin(admin, config.admin);

  std::vector<Section> brokers = root.tables("broker");
  for (Section& table : brokers)
    read_broker(table, config.brokers.emplace_back());
  if (brokers.empty() && root.is_valid({"broker"}))
    root.fault_at({}, "broker", "no [[broker]]; at least one is required");
  if (brokers.size() > kMaxBrokers)
    root.fault_at(brokers[kMaxBrokers].place_of(""), "broker",
                  fmt::format("expected at most {} tables [[broker]], found {}", kMaxBrokers,
                              brokers.size()));
  root.finish();
  return {root, server, defaults, limits, admin, std::move(listen), std::move(brokers)};
}

std::vector<std::string> known_keys() {
  const Environment nothing = [](const std::string&) { return std::nullopt; };
  Reading reading{nothing, {}, {}, {}};
  const Node empty;
  Config config;
  Tables tables = read_keys(reading, empty, config);
  Broker broker;
  Section table(reading, nullptr, "broker", {});
  read_broker(table, broker);
  return reading.known;
}

}  // namespace sluice::config
