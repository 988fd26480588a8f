#include "admin/pages.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <chrono>
#include <string>
#include <vector>

#include "admin/metrics.h"
#include "admin/status.h"
#include "admin/wall_clock.h"
#include "base/log_line.h"

namespace sluice::admin {
namespace {

constexpr unsigned kNotFound = 404;
constexpr unsigned kUnavailable = 503;

}  // namespace

Page Pages::readiness() const {
  if (app_.is_stopping()) return {.status = kUnavailable, .text = "not ready: stopping\n"};
  std::vector<std::string> outages;
  for (const mqtt::Pool* pool : app_.failing_brokers())
    outages.push_back(pool->describe_outage());
  if (outages.empty()) return {.text = "ready\n"};
  std::string text = "not ready: ";
  log::append_visible(text, fmt::format("{}", fmt::join(outages, "; ")));
  return {.status = kUnavailable, .text = text + "\n"};
}

Page Pages::get(std::string_view path) {
  if (path == "/healthz") return {.text = "ok\n"};
  if (path == "/readyz") return readiness();
  if (path == "/metrics") {
    if (metrics_.budget.allows(loop_.now())) metrics_.last = metrics_text(app_, process_.read());
    return {.content_type = "text/plain; version=0.0.4; charset=utf-8", .text = metrics_.last};
  }
  if (path == "/status") {
    if (status_.budget.allows(loop_.now())) {
      const WallClock clock(loop_.precise_now(), std::chrono::system_clock::now());
      status_.last = status_text(app_, loop_.now() - app_.started_at(), clock);
    }
    return {.content_type = "application/json", .text = status_.last};
  }
  return {.status = kNotFound, .text = "there are /healthz, /readyz, /metrics and /status\n"};
}

}  // namespace sluice::admin
