// What is allowed is not taken from the source but tried: wrong values make the program say what it
// expects, and the documented limits are tried with their neighbours.
#include "documentation.h"

#include <algorithm>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <utility>

#include "config/document.h"
#include "config/keys.h"

namespace sluice::config {
namespace {

using Numbers = std::vector<std::pair<std::int64_t, std::int64_t>>;  // from, to

constexpr std::string_view kRequired[] = {"broker.name", "broker.url", "broker.min_dev_no",
                                          "broker.max_dev_no"};

bool is_required(std::string_view key) {
  return std::find(std::begin(kRequired), std::end(kRequired), key) != std::end(kRequired);
}

std::string as_toml(const Node& node) {
  switch (node.kind) {
    case Node::Kind::Text:
      return node.text == "\n" ? "\"\\n\"" : "\"" + node.text + "\"";
    case Node::Kind::Integer:
      return std::to_string(node.integer);
    case Node::Kind::Boolean:
      return node.boolean ? "true" : "false";
    case Node::Kind::List:
      return node.children.empty() ? "[]" : "[" + as_toml(node.children.front()) + "]";
    default:
      return "?";
  }
}

void flatten(const Node& table, const std::string& prefix, Variables& values) {
  for (const Node& child : table.children) {
    const std::string path = prefix.empty() ? child.key : prefix + "." + child.key;
    const bool is_list_of_tables = child.kind == Node::Kind::List && !child.children.empty() &&
                                   child.children.front().kind == Node::Kind::Table;
    if (child.kind == Node::Kind::Table) {
      flatten(child, path, values);
    } else if (is_list_of_tables) {
      flatten(child.children.front(), path, values);
    } else {
      values[path] = as_toml(child);
    }
  }
}

std::string find_faults_with(const std::string& key, const std::string& value) {
  Variables broker = {
      {"name", "\"a\""}, {"url", "\"mqtt://h\""}, {"min_dev_no", "0"}, {"max_dev_no", "10"}};
  const std::size_t dot = key.find('.');
  const std::string table = key.substr(0, dot);
  std::string text;
  if (table == "broker") {
    broker[key.substr(dot + 1)] = value;
  } else {
    text = "[" + table + "]\n" + key.substr(dot + 1) + " = " + value + "\n";
  }
  text += "[[broker]]\n";
  for (const auto& [name, content] : broker)
    text.append(name).append(" = ").append(content).append("\n");
  std::string faults;
  for (const Fault& fault : parse_text(text).faults) {
    if (fault.what.find(key.substr(key.rfind('.') + 1) + ": expected") != std::string::npos)
      faults += fault.what + "\n";
  }
  return faults;
}

/// The faults of a configuration in which `key` has this value and all else is in order, as far as
/// they speak of that key. Each is looked for once, as the documents are compared again and again.
const std::string& faults_with(const std::string& key, const std::string& value) {
  static std::map<std::pair<std::string, std::string>, std::string> known;
  const auto [place, is_new] = known.try_emplace({key, value});
  if (is_new) place->second = find_faults_with(key, value);
  return place->second;
}

/// "0, or 5 to 65535" has two: 0 to 0, 5 to 65535.
Numbers numbers_in(std::string allowed) {
  static const std::regex power("2⁴⁰");
  static const std::regex other_values("`[^`]*`|64-bit");
  static const std::regex length("at (most|least)\\D*\\d*");
  static const std::regex number("(\\d+)( to (\\d+))?");
  allowed = std::regex_replace(allowed, power, "1099511627776");
  allowed = std::regex_replace(allowed, other_values, "");
  allowed = std::regex_replace(allowed, length, "");
  Numbers numbers;
  for (std::sregex_iterator at(allowed.begin(), allowed.end(), number), end; at != end; ++at) {
    const std::int64_t from = std::stoll((*at)[1]);
    numbers.emplace_back(from, (*at)[3].matched ? std::stoll((*at)[3]) : from);
  }
  return numbers;
}

bool holds(const Numbers& numbers, std::int64_t value) {
  return std::any_of(numbers.begin(), numbers.end(), [value](const auto& range) {
    return value >= range.first && value <= range.second;
  });
}

std::set<std::string> matches(const std::string& text, const std::regex& pattern) {
  return {std::sregex_token_iterator(text.begin(), text.end(), pattern, 1),
          std::sregex_token_iterator()};
}

void compare_numbers(const Row& row, std::vector<std::string>& found) {
  if (row.allowed.starts_with("64-bit integer")) return;
  const Numbers numbers = numbers_in(row.allowed);
  if (numbers.empty()) found.push_back(row.key + ": the documentation has no limits");
  for (const auto& [from, to] : numbers) {
    for (const std::int64_t value : {from - 1, from, to, to + 1}) {
      const std::string faults = faults_with(row.key, std::to_string(value));
      const bool is_taken = faults.find("an integer from") == std::string::npos;
      if (is_taken != holds(numbers, value))
        found.push_back(row.key + ": " + std::to_string(value) + (is_taken ? " is " : " is not ") +
                        "taken; the documentation allows: " + row.allowed);
    }
  }
}

/// `general` is what the documentation says of all keys.
void compare_allowed(const Row& row, const std::string& general, std::vector<std::string>& found) {
  // A date is nothing that any key takes.
  const std::string expected = faults_with(row.key, "2000-01-01");
  if (expected.empty()) found.push_back(row.key + ": faults_with() cannot give it a value");
  if (expected.find("an integer from") != std::string::npos) compare_numbers(row, found);
  static const std::regex quoted("(\"[^\"]*\")");
  static const std::regex as_code("`([^`]*)`");
  static const std::regex length("(at most \\d+ bytes)");
  std::set<std::string> words = matches(expected, quoted);
  if (expected.find("true or false") != std::string::npos) words = {"true", "false"};
  if (!words.empty() && words != matches(row.allowed, as_code))
    found.push_back(row.key + ": the documentation allows " + row.allowed +
                    ", the program: " + expected);
  if (!words.empty() || expected.find("an integer from") != std::string::npos) return;
  const std::string too_long = faults_with(row.key, "\"" + std::string(70000, 'a') + "\"");
  for (const std::string& bytes : matches(too_long, length)) {
    const std::string number = bytes.substr(8, bytes.size() - 14);
    if (general.find(bytes) == std::string::npos &&
        !std::regex_search(row.allowed, std::regex("(at most|to) " + number + "\\b")))
      found.push_back(row.key + ": the documentation does not say: " + bytes);
  }
}

}  // namespace

std::string source_file(const std::string& path) {
  std::ifstream file(std::string(SLUICE_SOURCE_DIR "/") + path, std::ios::binary);
  REQUIRE(file.good());
  std::ostringstream content;
  content << file.rdbuf();
  return content.str();
}

Variables values_of(const std::string& toml) {
  const auto document = read_document(toml);
  REQUIRE(std::holds_alternative<Node>(document));
  Variables values;
  flatten(std::get<Node>(document), "", values);
  return values;
}

std::string between(const std::string& line, const std::string& open, const std::string& close,
                    std::size_t& from) {
  const std::size_t begin = line.find(open, from);
  if (begin == std::string::npos) return "";
  const std::size_t end = line.find(close, begin + open.size());
  if (end == std::string::npos) return "";
  from = end + close.size();
  return line.substr(begin + open.size(), end - begin - open.size());
}

std::vector<Row> rows_of(const std::string& documentation) {
  std::istringstream lines(documentation);
  std::vector<Row> rows;
  std::string section;
  for (std::string line; std::getline(lines, line);) {
    std::size_t at = 0;
    if (line.starts_with("#")) {
      section = between(line, "[", "]", at);
      if (section.starts_with("[")) section.erase(0, 1);
    }
    if (!line.starts_with("| `")) continue;
    Row row;
    row.key = section + "." + between(line, "| `", "` | ", at);
    --at;  // the blank before the next cell opens that cell
    row.default_value = between(line, " ", " | ", at);
    if (row.default_value.starts_with("`"))
      row.default_value = row.default_value.substr(1, row.default_value.size() - 2);
    --at;
    row.allowed = between(line, " ", " | ", at);
    rows.push_back(std::move(row));
  }
  return rows;
}

std::vector<std::string> differences(const std::string& reference,
                                     const std::string& documentation) {
  const std::vector<std::string> keys = known_keys();
  const std::set<std::string> known(keys.begin(), keys.end());
  const Variables values = values_of(reference);
  std::vector<std::string> found;
  for (const auto& [key, value] : values) {
    if (!known.contains(key)) found.push_back(key + ": in the reference, but not known");
  }
  const std::string general = documentation.substr(0, documentation.find("\n## "));
  std::set<std::string> documented;
  for (const Row& row : rows_of(documentation)) {
    if (!documented.insert(row.key).second) found.push_back(row.key + ": documented twice");
    if (!known.contains(row.key)) {
      found.push_back(row.key + ": documented, but not known");
      continue;
    }
    const auto value = values.find(row.key);
    if (value == values.end()) continue;  // reported below
    const std::string expected = is_required(row.key) ? "required" : value->second;
    if (row.default_value != expected)
      found.push_back(row.key + ": documented as " + row.default_value + ", the reference says " +
                      expected);
    compare_allowed(row, general, found);
  }
  for (const std::string& key : known) {
    if (!values.contains(key)) found.push_back(key + ": not in the reference");
    if (!documented.contains(key)) found.push_back(key + ": not documented");
  }
  return found;
}

}  // namespace sluice::config
