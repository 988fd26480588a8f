// libFuzzer: any text is a configuration within the documented limits, or gives faults with a
// position in it. Environment and files are a fixed few.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/utf8.h"
#include "config/load.h"
#include "config/text.h"
#include "require.h"

using namespace sluice::config;
using sluice::Duration;
using sluice::is_utf8;
using sluice::fuzz::require;

namespace {

constexpr std::uint64_t kDescriptors = 1024;

std::optional<std::string> look_up(const std::string& name) {
  if (name == "NUMBER") return "7";
  if (name == "FLAG") return "true";
  if (name == "TEXT") return "a ${TEXT}";
  if (name == "EMPTY") return "";
  if (name == "BYTES") return "\xff\x01";
  return std::nullopt;
}

/// The number of characters of each line. Invalid UTF-8 counts by the byte.
std::vector<std::size_t> line_lengths(std::string_view text) {
  const bool whole = is_utf8(text);
  std::vector<std::size_t> lengths{0};
  for (const char c : text) {
    if (c == '\n') {
      lengths.push_back(0);
    } else if (!whole || (static_cast<unsigned char>(c) & 0xC0U) != 0x80U) {
      ++lengths.back();
    }
  }
  return lengths;
}

void check_faults(const std::vector<Fault>& faults, std::string_view text) {
  const std::vector<std::size_t> lengths = line_lengths(text);
  std::pair<unsigned, unsigned> last{1, 1};
  for (const Fault& fault : faults) {
    require(fault.file == "f");
    require(fault.line >= 1 && fault.line <= lengths.size());
    // What is missing at a line's end is reported at its newline.
    require(fault.column >= 1 && fault.column <= lengths[fault.line - 1] + 1);
    require(last <= std::pair(fault.line, fault.column));
    last = {fault.line, fault.column};
    // One line for each fault.
    require(!fault.what.empty() && is_utf8(fault.what) && !has_control_characters(fault.what));
  }
}

template <class T>
void require_within(const T& value, const T& least, const T& most) {
  require(value >= least && value <= most);
}

void check_server(const Config& config) {
  using std::chrono::hours;
  require(!config.server.listen.empty());
  for (const Address& address : config.server.listen) {
    if (address.kind == Address::Kind::Tcp) {
      require(!address.host.empty());
    } else {
      require(address.path.starts_with('/') && address.path.size() <= 107);
    }
  }
  require(is_plain_name(instance_name(config)));
  require_within(config.server.max_connections, 1U, 1000000U);
  require_within<Duration>(config.server.drain_timeout, Duration(0), hours(1));
  require(config.server.request_end.size() <= 16);
  require(config.server.request_end.find_first_of("{\"") == std::string::npos);
  require(!config.admin.listen || config.admin.listen->kind == Address::Kind::Tcp);
}

void check_limits(const Config& config) {
  using std::chrono::hours;
  const Limits& limits = config.limits;
  require_within<std::size_t>(limits.max_request_bytes, 64, 16777215);
  require(limits.max_request_bytes <= limits.input_bytes);
  require_within<std::size_t>(limits.max_json_depth, 1, 1024);
  require_within<std::size_t>(limits.max_pipeline, 1, 1000000);
  require_within<Duration>(limits.max_timeout, Duration(1), hours(24));
  require_within<Duration>(config.defaults.publish_timeout, Duration(1), limits.max_timeout);
  require_within(config.defaults.qos, 0, 2);
  require_within<Duration>(limits.request_timeout, Duration(1), hours(1));
  require(is_utf8(config.replies.success) && config.replies.success.size() <= 1024);
}

void check_broker(const Broker& broker) {
  require(is_plain_name(broker.name) && broker.name.size() <= 255);
  require(!broker.host.empty() && broker.port > 0);
  require(broker.min_dev_no < broker.max_dev_no && broker.min_dev_no + 1 < broker.max_dev_no);
  require_within(broker.connections, 1U, 10000U);
  require(broker.keepalive_s == 0 || broker.keepalive_s >= 5);
  require(broker.keepalive_s <= 65535);
  require(broker.reconnect_min <= broker.reconnect_max && broker.reconnect_min > Duration(0));
  require(!broker.max_inflight || (*broker.max_inflight >= 1 && *broker.max_inflight <= 65535));
  require(broker.inflight_bytes >= 1 && broker.queue_messages >= 1 && broker.queue_bytes >= 1);
  require(!has_control_characters(broker.username));
  require(broker.password.find('\0') == std::string::npos);
  require(broker.protocol == Protocol::V5 || broker.password.empty() || !broker.username.empty());
  require(broker.tls.certificate.empty() == broker.tls.key.empty());
  require(broker.tls_enabled || broker.tls == BrokerTls{});
}

void check_brokers(const Config& config) {
  require(!config.brokers.empty());
  std::set<std::string> names;
  for (const Broker& broker : config.brokers) {
    check_broker(broker);
    require(names.insert(broker.name).second);
    std::set<std::string> identifiers;
    for (const unsigned slot : {0U, broker.connections / 2, broker.connections - 1}) {
      identifiers.insert(client_identifier(config, broker, slot, "host", 1));
      require_within<std::size_t>(identifiers.rbegin()->size(), 1, 65535);
    }
    require(identifiers.size() == std::min(broker.connections, 3U));
  }
}

}  // namespace

// The name is libFuzzer's.
// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Loaded loaded = parse(text, "f", look_up, kDescriptors);
  require(loaded.config.has_value() == loaded.faults.empty());
  check_faults(loaded.faults, text);
  if (loaded.config) {
    check_server(*loaded.config);
    check_limits(*loaded.config);
    check_brokers(*loaded.config);
  }
  return 0;
}
