#include "config/remarks.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <unordered_map>

#include "base/ascii.h"

namespace sluice::config {
namespace {

std::string devices(std::int64_t first, std::int64_t last) {
  return first == last ? fmt::format("device {}", first)
                       : fmt::format("devices {} to {}", first, last);
}

/// Bounds are exclusive: 0..1000 and 999..2000 lie side by side.
void compare_ranges(const Config& config, const Tables& tables, std::vector<Finding>& remarks) {
  std::vector<std::size_t> order(config.brokers.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return config.brokers[a].min_dev_no < config.brokers[b].min_dev_no;
  });
  const Broker* furthest = nullptr;  // of those before: the one with the highest max_dev_no
  for (const std::size_t at : order) {
    const Broker& broker = config.brokers[at];
    const auto remark = [&](const std::string& what) {
      remarks.push_back({tables.brokers[at].place_of("min_dev_no"),
                         fmt::format("broker[{}].min_dev_no: {}", broker.name, what)});
    };
    if (furthest != nullptr && broker.min_dev_no >= furthest->max_dev_no) {
      const bool is_one = broker.min_dev_no == furthest->max_dev_no;
      remark(
          fmt::format("{} between broker[{}] and this one {} no broker; both bounds of a range "
                      "are exclusive",
                      devices(furthest->max_dev_no, broker.min_dev_no), furthest->name,
                      is_one ? "reaches" : "reach"));
    } else if (furthest != nullptr && broker.min_dev_no < furthest->max_dev_no - 1) {
      const std::int64_t first = broker.min_dev_no + 1;
      const std::int64_t last = std::min(broker.max_dev_no, furthest->max_dev_no) - 1;
      remark(fmt::format("the range overlaps that of broker[{}]: {} {} both", furthest->name,
                         devices(first, last), first == last ? "reaches" : "reach"));
    }
    if (furthest == nullptr || broker.max_dev_no > furthest->max_dev_no) furthest = &broker;
  }
}

void compare_urls(const Config& config, const Tables& tables, std::vector<Finding>& remarks) {
  std::unordered_map<std::string, const Broker*> first;
  for (std::size_t at = 0; at < config.brokers.size(); ++at) {
    const Broker& broker = config.brokers[at];
    const auto [known, added] = first.emplace(canonical_url(broker), &broker);
    if (added) continue;
    remarks.push_back({tables.brokers[at].place_of("url"),
                       fmt::format("broker[{}].url: the same as that of broker[{}]", broker.name,
                                   known->second->name)});
  }
}

}  // namespace

std::string canonical_url(const Broker& broker) {
  return fmt::format("{} {} {}", broker.tls_enabled ? "mqtts" : "mqtt", to_lower(broker.host),
                     broker.port);
}

std::vector<Finding> remarks_on(const Config& config, const Tables& tables) {
  std::vector<Finding> remarks;
  compare_ranges(config, tables, remarks);
  compare_urls(config, tables, remarks);
  return remarks;
}

}  // namespace sluice::config
