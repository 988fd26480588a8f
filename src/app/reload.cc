// Applies another configuration to a running App: all of it or nothing.
#include <fmt/ranges.h>

#include <utility>

#include "app/app.h"
#include "base/log.h"
#include "config/difference.h"

namespace sluice::app {

Result<void> App::reload(config::Config next, const CertificatesByBroker& certificates) {
  if (is_stopping()) return Error{"shutting down"};
  const std::vector<std::string> unchangeable = config::keep_what_needs_restart(config_, next);
  auto listeners = server_.prepare(next.server);
  if (!listeners) return listeners.error();
  if (!(config_.log == next.log)) {
    if (Result<void> configured = log::configure(next.log); !configured) return configured;
  }
  // From here on nothing can fail.
  for (const std::string& key : unchangeable)
    log::warn("{}: needs a restart to change; all other changes are applied", key);
  std::vector<std::string> changes = config::describe_changes(config_, next);
  server_.apply(next, std::move(listeners).value());
  for (std::string& change : brokers_.apply(next, certificates))
    changes.push_back(std::move(change));
  config_ = std::move(next);
  ++reloads_.ok;
  log::info("configuration reloaded: {}",
            changes.empty() ? "nothing has changed" : fmt::format("{}", fmt::join(changes, "; ")));
  return {};
}

void App::refuse_reload(const std::string& why) noexcept {
  ++reloads_.refused;
  log::error("reload rejected, keeping the current configuration: {}", why);
}

}  // namespace sluice::app
