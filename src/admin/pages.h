// The pages of the admin interface, apart from HTTP.
#pragma once

#include <string>
#include <string_view>

#include "admin/process_stats.h"
#include "admin/render_budget.h"
#include "app/app.h"
#include "base/clock.h"
#include "event/loop.h"

namespace sluice::admin {

struct Page {
  unsigned status = 200;
  const char* content_type = "text/plain; charset=utf-8";
  std::string text = {};
};

/// `/healthz`, `/readyz`, `/metrics`, `/status`. Not thread-safe.
class Pages {
 public:
  Pages(const event::Loop& loop, const app::App& app) : loop_(loop), app_(app) {}

  Page get(std::string_view path);

 private:
  Page readiness() const;

  /// A page that is rendered at most 100 times a second; in between the last one is sent again.
  struct CachedPage {
    RenderBudget budget;
    std::string last;
  };

  const event::Loop& loop_;
  const app::App& app_;
  ProcessStats process_;
  CachedPage metrics_;
  CachedPage status_;
};

}  // namespace sluice::admin
