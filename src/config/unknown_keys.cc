#include "config/unknown_keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/ascii.h"
#include "config/nearest.h"
#include "config/text.h"

namespace sluice::config {
namespace {

constexpr std::size_t kShownKeyBytes = 64;
/// Unknown keys beyond are named, but compared with nothing: a file that is none of ours has many.
constexpr std::size_t kMostCompared = 100;

/// Words of other programs for what is called otherwise here.
constexpr std::array<std::pair<std::string_view, std::string_view>, 27> kSynonyms = {{
    {"host", "url"},         {"hostname", "url"},
    {"address", "url"},      {"addr", "url"},
    {"port", "url"},         {"server", "url"},
    {"uri", "url"},          {"endpoint", "url"},
    {"host", "listen"},      {"hostname", "listen"},
    {"address", "listen"},   {"addr", "listen"},
    {"port", "listen"},      {"bind", "listen"},
    {"socket", "listen"},    {"url", "listen"},
    {"user", "username"},    {"login", "username"},
    {"pool", "connections"}, {"pool_size", "connections"},
    {"ssl", "tls"},          {"cafile", "tls"},
    {"ca_file", "tls"},      {"cert", "tls"},
    {"cafile", "ca"},        {"ca_file", "ca"},
    {"verify", "insecure"},
}};

/// A key as it may be shown: plain where it is plain, else quoted.
std::string shown_key(std::string_view key) {
  return is_plain_name(key) && key.size() <= kShownKeyBytes ? std::string(key) : quoted(key);
}

std::string_view last_part(std::string_view key) {
  return key.substr(key.rfind('.') + 1);
}

std::vector<std::string> synonyms(const UnknownKey& unknown) {
  std::vector<std::string> found;
  for (const auto& [word, key] : kSynonyms) {
    const bool is_here = std::find(unknown.neighbours.begin(), unknown.neighbours.end(), key) !=
                         unknown.neighbours.end();
    if (is_here && word == to_lower(unknown.key)) found.emplace_back(key);
  }
  return found;
}

/// The keys of all tables whose last part is related to the unknown key.
std::vector<std::string> related_elsewhere(const UnknownKey& unknown,
                                           const std::vector<std::string>& known) {
  std::vector<std::string> parts;
  parts.reserve(known.size());
  for (const std::string& key : known)
    parts.emplace_back(last_part(key));
  const std::vector<std::string> names = related(unknown.key, parts);
  std::vector<std::string> found;
  for (std::size_t i = 0; i < known.size(); ++i) {
    const bool is_meant = std::find(names.begin(), names.end(), parts[i]) != names.end();
    if (is_meant && found.size() < kMostNear) found.push_back(known[i]);
  }
  return found;
}

/// The known keys, dotted, that an unknown one is probably meant to be.
std::vector<std::string> near_keys(const UnknownKey& unknown,
                                   const std::vector<std::string>& known) {
  if (!unknown.is_table) {
    for (const std::string& other : known) {
      if (other.ends_with("." + unknown.key)) return {other};
    }
  }
  const auto own = [&](std::vector<std::string> names) {
    for (std::string& name : names)
      name = dotted(unknown.label, name);
    return names;
  };
  std::vector<std::string> found = own(synonyms(unknown));
  if (found.empty()) found = own(related(unknown.key, unknown.neighbours));
  if (found.empty()) found = own(misspelled(unknown.key, unknown.neighbours));
  if (unknown.is_table) return found;
  if (found.empty()) found = related_elsewhere(unknown, known);
  if (found.empty()) found = own(of_same_words(unknown.key, unknown.neighbours));
  return found;
}

/// `is_first`: of those that resemble nothing in this table.
std::string allowed_keys(const UnknownKey& unknown, bool is_first) {
  if (unknown.neighbours.empty()) return "no key is allowed here";
  const std::string best = dotted(unknown.label, least_distant(unknown.key, unknown.neighbours));
  if (!is_first) return "the nearest known one is " + best;
  return fmt::format("the nearest known one is {}; allowed are {}", best,
                     fmt::join(unknown.neighbours, ", "));
}

}  // namespace

std::string dotted(std::string_view table, std::string_view key) {
  return table.empty() ? std::string(key) : fmt::format("{}.{}", table, key);
}

void report_unknown(Reading& reading, const std::vector<std::string>& known) {
  std::vector<std::vector<std::string>> listed;
  std::size_t compared = 0;
  for (const UnknownKey& unknown : reading.unknown) {
    std::string what = dotted(unknown.label, shown_key(unknown.key)) + ": unknown key";
    if (compared++ < kMostCompared) {
      const std::vector<std::string> near = near_keys(unknown, known);
      if (near.empty()) {
        const bool is_first =
            std::find(listed.begin(), listed.end(), unknown.neighbours) == listed.end();
        what += "; " + allowed_keys(unknown, is_first);
        if (is_first) listed.push_back(unknown.neighbours);
      } else {
        what += fmt::format("; the nearest known {} {}", near.size() == 1 ? "one is" : "ones are",
                            fmt::join(near, ", "));
      }
    }
    reading.findings.push_back({unknown.place, std::move(what)});
  }
  reading.unknown.clear();
}

}  // namespace sluice::config
