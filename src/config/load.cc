// The stages of a file: text, tree, keys, checks. Each adds its findings; only a syntax error ends
// them early.
#include "config/load.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <tuple>
#include <utility>

#include "base/utf8.h"
#include "config/check.h"
#include "config/document.h"
#include "config/file.h"
#include "config/keys.h"
#include "config/remarks.h"
#include "config/text.h"
#include "config/unknown_keys.h"

namespace sluice::config {
namespace {

Loaded only_fault(const std::string& path, Place place, std::string what) {
  Loaded result;
  result.faults.push_back({path, place.line, place.column, std::move(what)});
  return result;
}

std::vector<Fault> sorted(const std::string& path, std::vector<Finding> findings) {
  std::stable_sort(findings.begin(), findings.end(), [](const Finding& a, const Finding& b) {
    return std::tie(a.place.line, a.place.column) < std::tie(b.place.line, b.place.column);
  });
  std::vector<Fault> faults;
  faults.reserve(findings.size());
  for (Finding& finding : findings)
    faults.push_back({path, finding.place.line, finding.place.column, std::move(finding.what)});
  return faults;
}

}  // namespace

std::string Fault::text() const {
  return fmt::format("{}:{}:{}: {}", file, line, column, what);
}

std::string Fault::warning() const {
  return fmt::format("{}:{}:{}: warning: {}", file, line, column, what);
}

Loaded load(const std::string& path, const Environment& environment,
            std::uint64_t descriptor_limit) {
  const auto text = read_file(path, kMaxFileBytes);
  if (!text) {
    return only_fault(path, {}, fmt::format("cannot read the file: {}", text.error().what));
  }
  return parse(text.value(), path, environment, descriptor_limit);
}

Loaded parse(std::string_view text, const std::string& path, const Environment& environment,
             std::uint64_t descriptor_limit) {
  const auto document = read_document(without_bom(text));
  if (const auto* error = std::get_if<SyntaxError>(&document))
    return only_fault(path, error->place, error->what);

  Loaded result;
  Config config;
  Reading reading{environment, {}, {}, {}};
  Tables tables = read_keys(reading, std::get<Node>(document), config);
  check_across(config, tables);
  report_unknown(reading, known_keys());
  result.faults = sorted(path, std::move(reading.findings));
  if (!result.faults.empty()) return result;
  std::vector<Finding> warnings = warnings_of(config, tables);
  if (auto warning = fit_to_descriptors(config, tables, descriptor_limit))
    warnings.push_back(std::move(*warning));
  result.warnings = sorted(path, std::move(warnings));
  result.remarks = sorted(path, remarks_on(config, tables));
  result.config = std::move(config);
  return result;
}

Environment process_environment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) return std::nullopt;
    return value;
  };
}

}  // namespace sluice::config
