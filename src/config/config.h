// What a configuration file says, as plain values with the defaults inline. No TOML and no
// checks here: load.h reads and validates a file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "config/network.h"

namespace sluice::config {

/// Where a listener listens: a TCP host and port, or the path of a Unix socket.
struct Address {
  enum class Kind { Tcp, Unix };
  Kind kind = Kind::Tcp;
  std::string host;        ///< a name or an IP address, an IPv6 address without its brackets
  std::uint16_t port = 0;  ///< 0: the system chooses one
  std::string path;        ///< absolute, at most 107 bytes
  std::string digits{};    ///< `host` as an IP address, once it was resolved; not compared

  /// `tcp://HOST:PORT` (IPv6 in brackets) or `unix://PATH`.
  std::string text() const;
  /// The address to bind; host names are resolved beforehand.
  const std::string& numeric_host() const { return digits.empty() ? host : digits; }
  bool operator==(const Address& other) const {
    return kind == other.kind && host == other.host && port == other.port && path == other.path;
  }
};

enum class ProxyProtocol { Off, Required };

struct ServerSettings {
  std::vector<Address> listen{{Address::Kind::Tcp, "127.0.0.1", 9501, ""}};
  std::string instance;  ///< empty: see instance_name()
  unsigned max_connections = 1024;
  /// Not a key: refused clients that may read their `overloaded` reply at the same time; further
  /// ones are closed at once. Lowered where descriptors are scarce.
  unsigned max_refused = 256;
  /// Not a key: half-closed clients that take no place of max_connections. Lowered where
  /// descriptors are scarce.
  unsigned max_half_closed = 1024;
  std::string request_end;  ///< white space between requests, too; empty: none
  bool tcp_fastopen = false;
  bool reuse_port = false;
  ProxyProtocol proxy_protocol = ProxyProtocol::Off;
  ProxySources proxy_from;   ///< whose PROXY protocol headers are obeyed; not empty where required
  Duration idle_timeout{0};  ///< 0: never
  Duration drain_delay{0};
  Duration drain_timeout{8000};
  bool operator==(const ServerSettings&) const = default;
};

struct Defaults {
  int qos = 1;
  Duration publish_timeout{10000};
  bool operator==(const Defaults&) const = default;
};

struct Limits {
  std::size_t max_request_bytes = 1048576;
  std::size_t max_json_depth = 64;
  std::size_t max_pipeline = 1024;  ///< unanswered requests of one client
  Duration max_timeout{60000};
  std::size_t input_bytes = 67108864;  ///< partly received and parked requests, all clients
  std::size_t output_bytes = 262144;   ///< unread replies of one client
  Duration request_timeout{10000};
  Duration write_timeout{60000};
  bool operator==(const Limits&) const = default;
};

struct Replies {
  std::string success = "mqtt 消息发送成功";
  std::string failure = "mqtt 消息发送失败";
  std::string end = "\n";  ///< after each reply of a JSON stream
  bool operator==(const Replies&) const = default;
};

struct Admin {
  /// Always a TCP address; nothing: the admin interface is off.
  std::optional<Address> listen = Address{Address::Kind::Tcp, "127.0.0.1", 9580, ""};
  bool operator==(const Admin&) const = default;
};

/// Paths are empty where not set. Only meaningful where Broker::tls_enabled.
struct BrokerTls {
  std::string ca;
  std::string certificate;
  std::string key;
  bool insecure = false;
  bool operator==(const BrokerTls&) const = default;
};

enum class Protocol { V5, V311 };

/// What becomes of requests that a dead broker has not been handed.
enum class WhenDead {
  Queue,   ///< they wait for it, as far as its queue has room
  Refuse,  ///< they are answered at once
};

struct Broker {
  std::string name;
  bool tls_enabled = false;   ///< from the scheme of `url`
  std::string host;           ///< from `url`, an IPv6 address without its brackets
  std::uint16_t port = 1883;  ///< from `url`, or 1883 (mqtt://) or 8883 (mqtts://)
  std::string url;
  std::int64_t min_dev_no = 0;  ///< exclusive
  std::int64_t max_dev_no = 0;  ///< exclusive
  unsigned connections = 20;
  std::string client_id = "sluice-{host}-{instance}-{broker}-{slot}";
  std::string username;  ///< empty: none
  std::string password;  ///< empty: none; also the first line of `password_file`
  Protocol protocol = Protocol::V5;
  unsigned keepalive_s = 30;
  Duration connect_timeout{5000};
  Duration ack_timeout{15000};
  Duration reconnect_min{100};
  Duration reconnect_max{30000};
  Duration dead_after{1000};
  WhenDead when_dead = WhenDead::Queue;
  std::optional<unsigned> max_inflight;  ///< nothing: "auto"
  int max_qos = 2;                       ///< what the broker takes, whatever it announces
  unsigned max_topic_levels = 201;       ///< the same
  std::size_t max_incoming_packet_bytes = 65536;
  std::size_t inflight_bytes = 4194304;
  std::size_t queue_messages = 10000;
  std::size_t queue_bytes = 16777216;
  BrokerTls tls;
  bool operator==(const Broker&) const = default;
};

struct Config {
  ServerSettings server;
  Defaults defaults;
  Limits limits;
  Replies replies;
  log::Settings log;
  Admin admin;
  std::vector<Broker> brokers;
  bool operator==(const Config&) const = default;
};

/// The value of {instance}: `[server] instance`, or else the first listener's port or the file
/// name of its socket. Empty only for a Config without listeners.
std::string instance_name(const Config& config);

/// The MQTT client identifier of one slot (from 0) of a broker: `client_id` with {host},
/// {instance}, {broker}, {slot} and {pid} replaced. `host` is this machine's name.
std::string client_identifier(const Config& config, const Broker& broker, unsigned slot,
                              std::string_view host, int pid);

}  // namespace sluice::config
