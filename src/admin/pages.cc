#include "admin/pages.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "admin/metrics.h"
#include "admin/status.h"

namespace sluice::admin {
namespace {

constexpr unsigned kNotFound = 404;
constexpr unsigned kUnavailable = 503;

}  // namespace

Page Pages::readiness() const {
  if (app_.is_stopping()) return {.status = kUnavailable, .text = "not ready: stopping\n"};
  const std::vector<std::string> missing = app_.unconnected_brokers();
  if (missing.empty()) return {.text = "ready\n"};
  return {.status = kUnavailable,
          .text = fmt::format("not ready: no connection to broker {}\n", fmt::join(missing, ", "))};
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
      status_.last = status_text(app_, loop_.now() - app_.started_at());
    }
    return {.content_type = "application/json", .text = status_.last};
  }
  return {.status = kNotFound, .text = "there are /healthz, /readyz, /metrics and /status\n"};
}

}  // namespace sluice::admin
