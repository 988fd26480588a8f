// The placeholders of a client identifier, and the two names that Config derives with them.
#include "config/identifier.h"

#include <array>
#include <utility>

#include "config/config.h"
#include "config/text.h"

namespace sluice::config {

Result<std::string> replace_placeholders(std::string_view pattern, const Placeholders& values) {
  const std::array<std::pair<std::string_view, std::string_view>, 5> table{{
      {"{host}", values.host},
      {"{instance}", values.instance},
      {"{broker}", values.broker},
      {"{slot}", values.slot},
      {"{pid}", values.pid},
  }};
  std::string result;
  while (!pattern.empty()) {
    const std::size_t open = pattern.find('{');
    result += pattern.substr(0, open);
    if (open == std::string_view::npos) break;
    pattern.remove_prefix(open);

    bool replaced = false;
    for (const auto& [name, value] : table) {
      if (!pattern.starts_with(name)) continue;
      result += value;
      pattern.remove_prefix(name.size());
      replaced = true;
      break;
    }
    if (!replaced) {
      const std::size_t close = pattern.find('}');
      const auto length = close == std::string_view::npos ? close : close + 1;
      return Error{
          "expected the placeholders {host}, {instance}, {broker}, {slot} and {pid} only, "
          "found " +
          quoted(pattern.substr(0, length))};
    }
  }
  return result;
}

std::string instance_name(const Config& config) {
  if (!config.server.instance.empty()) return config.server.instance;
  if (config.server.listen.empty()) return "";
  const Address& first = config.server.listen.front();
  if (first.kind == Address::Kind::Tcp) return std::to_string(first.port);
  return first.path.substr(first.path.rfind('/') + 1);
}

std::string client_identifier(const Config& config, const Broker& broker, unsigned slot,
                              std::string_view host, int pid) {
  const std::string instance = instance_name(config);
  const std::string slot_text = std::to_string(slot);
  const std::string pid_text = std::to_string(pid);
  const auto made =
      replace_placeholders(broker.client_id, {host, instance, broker.name, slot_text, pid_text});
  // A pattern that was never checked keeps its braces rather than losing its slot number.
  return made ? made.value() : broker.client_id + "-" + slot_text;
}

}  // namespace sluice::config
