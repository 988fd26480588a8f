#include "config/nearest.h"

#include <algorithm>
#include <numeric>

#include "base/ascii.h"

namespace sluice::config {
namespace {

constexpr std::size_t kComparedBytes = 64;  // a longer name is no misspelling of ours
constexpr std::size_t kShortestPrefix = 2;
constexpr std::size_t kShortestPart = 3;
constexpr std::size_t kShortestWord = 4;

/// Lower case, without what stands between words: minDevNo and min-dev-no are min_dev_no.
std::string plain(std::string_view name) {
  std::string result;
  for (const char c : name.substr(0, kComparedBytes)) {
    if (c != '_' && c != '-' && c != ' ') result += to_lower(c);
  }
  return result;
}

template <class Test>
std::vector<std::string> those(const std::vector<std::string>& known, Test test) {
  std::vector<std::string> result;
  for (const std::string& other : known) {
    if (result.size() < kMostNear && test(plain(other))) result.push_back(other);
  }
  return result;
}

std::vector<std::string_view> words_of(std::string_view name) {
  std::vector<std::string_view> words;
  name = name.substr(0, kComparedBytes);
  while (!name.empty()) {
    const std::size_t end = std::min(name.find_first_of("_-"), name.size());
    if (end >= kShortestPart) words.push_back(name.substr(0, end));
    name.remove_prefix(std::min(end + 1, name.size()));
  }
  return words;
}

}  // namespace

std::vector<std::string> related(std::string_view name, const std::vector<std::string>& known) {
  const std::string word = plain(name);
  auto found = those(known, [&](const std::string& other) { return other == word; });
  if (found.empty() && word.size() >= kShortestPrefix)
    found = those(known, [&](const std::string& other) { return other.starts_with(word); });
  if (!found.empty() || word.size() < kShortestPart) return found;
  const auto holds = [](const std::string& whole, const std::string& part) {
    return part.size() >= kShortestPart && whole.find(part) != std::string::npos;
  };
  found = those(known, [&](const std::string& other) { return holds(other, word); });
  if (!found.empty()) return found;
  return those(known, [&](const std::string& other) { return holds(word, other); });
}

const std::string& least_distant(std::string_view name, const std::vector<std::string>& known) {
  const std::string word = plain(name);
  const auto distance = [&](const std::string& other) { return edit_distance(word, plain(other)); };
  return *std::min_element(
      known.begin(), known.end(),
      [&](const std::string& a, const std::string& b) { return distance(a) < distance(b); });
}

std::vector<std::string> misspelled(std::string_view name, const std::vector<std::string>& known) {
  if (known.empty()) return {};
  const std::string& best = least_distant(name, known);
  const std::string word = plain(name);
  if (edit_distance(word, plain(best)) > std::max<std::size_t>(2, word.size() / 3)) return {};
  // Two changes make another word of a short one: chk is check, but ssl is not url.
  if (word.size() < kShortestWord && !best.starts_with(word.substr(0, 1))) return {};
  return {best};
}

std::vector<std::string> of_same_words(std::string_view name,
                                       const std::vector<std::string>& known) {
  const std::vector<std::string_view> words = words_of(name);
  const auto common = [&](std::string_view other) {
    const std::vector<std::string_view> others = words_of(other);
    return std::count_if(words.begin(), words.end(), [&](std::string_view word) {
      return std::find(others.begin(), others.end(), word) != others.end();
    });
  };
  std::ptrdiff_t most = 1;
  for (const std::string& other : known)
    most = std::max(most, common(other));
  std::vector<std::string> result;
  for (const std::string& other : known) {
    if (result.size() < kMostNear && common(other) == most) result.push_back(other);
  }
  return result;
}

std::vector<std::string> nearest(std::string_view name, const std::vector<std::string>& known) {
  std::vector<std::string> found = related(name, known);
  return found.empty() ? misspelled(name, known) : found;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row[b.size()];
}

}  // namespace sluice::config
