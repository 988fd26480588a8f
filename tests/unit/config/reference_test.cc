// The annotated reference and the documentation say what the program does: every key, every
// default, every example.
#include <set>
#include <sstream>

#include "config/document.h"
#include "config/keys.h"
#include "support.h"

namespace sluice::config {
namespace {

std::string source_file(const std::string& path) {
  std::ifstream file(std::string(SLUICE_SOURCE_DIR "/") + path, std::ios::binary);
  REQUIRE(file.good());
  std::ostringstream content;
  content << file.rdbuf();
  return content.str();
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
      return "[" + as_toml(node.children.at(0)) + "]";
    default:
      return "?";
  }
}

/// Dotted key and value of all that is no table.
void flatten(const Node& table, const std::string& prefix, Variables& values) {
  for (const Node& child : table.children) {
    const std::string path = prefix.empty() ? child.key : prefix + "." + child.key;
    if (child.kind == Node::Kind::Table) {
      flatten(child, path, values);
    } else if (path == "broker") {
      flatten(child.children.at(0), path, values);
    } else {
      values[path] = as_toml(child);
    }
  }
}

Variables reference_values() {
  const auto document = read_document(source_file("conf/sluice.toml"));
  REQUIRE(std::holds_alternative<Node>(document));
  Variables values;
  flatten(std::get<Node>(document), "", values);
  return values;
}

/// What stands between the first `open` after `from` and the next `close`. Moves `from` behind it.
std::string between(const std::string& line, const std::string& open, const std::string& close,
                    std::size_t& from) {
  const std::size_t begin = line.find(open, from);
  if (begin == std::string::npos) return "";
  const std::size_t end = line.find(close, begin + open.size());
  if (end == std::string::npos) return "";
  from = end + close.size();
  return line.substr(begin + open.size(), end - begin - open.size());
}

/// Dotted key and default of every row in the tables of the documentation.
Variables documented_values() {
  std::istringstream lines(source_file("docs/configuration.md"));
  Variables values;
  std::string section;
  for (std::string line; std::getline(lines, line);) {
    std::size_t at = 0;
    if (line.starts_with("#")) {
      section = between(line, "[", "]", at);
      if (section.starts_with("[")) section.erase(0, 1);
    }
    if (!line.starts_with("| `")) continue;
    const std::string key = between(line, "| `", "` | ", at);
    const bool is_required = line.compare(at, 8, "required") == 0;
    std::string path = section;
    path.append(".").append(key);
    values[path] = is_required ? "required" : between(line, "`", "` |", at);
  }
  return values;
}

std::vector<std::string> examples_of(const std::string& text) {
  std::vector<std::string> examples;
  for (std::size_t at = 0;;) {
    std::string example = between(text, "```toml\n", "```", at);
    if (example.empty()) return examples;
    examples.push_back(std::move(example));
  }
}

constexpr const char* kRequired[] = {"broker.name", "broker.url", "broker.min_dev_no",
                                     "broker.max_dev_no"};

}  // namespace

TEST_CASE("the reference says exactly the defaults") {
  Config expected;
  Broker broker;
  broker.name = "o2o";
  broker.url = "mqtt://127.0.0.1:1883";
  broker.host = "127.0.0.1";
  broker.port = 1883;
  broker.max_dev_no = 1000000;
  expected.brokers.push_back(broker);
  CHECK(config_of(source_file("conf/sluice.toml")) == expected);
}

TEST_CASE("every known key is in the reference, and no other") {
  const std::vector<std::string> known = known_keys();
  CHECK(known.size() == 49);
  std::set<std::string> found;
  for (const auto& [key, value] : reference_values())
    found.insert(key);
  CHECK(found == std::set<std::string>(known.begin(), known.end()));
}

TEST_CASE("every known key is in the documentation with the default of the reference") {
  Variables expected = reference_values();
  for (const char* key : kRequired)
    expected.at(key) = "required";
  CHECK(documented_values() == expected);
}

TEST_CASE("the examples of the documentation are without faults but for files that are not here") {
  const auto examples = examples_of(source_file("docs/configuration.md"));
  REQUIRE(examples.size() == 5);
  for (const std::string& example : examples) {
    CAPTURE(example);
    for (const Fault& fault : parse_text(example, {{"SLUICE_O2O_PASSWORD", "p"}}).faults) {
      CAPTURE(fault.text());
      CHECK(fault.what.find("\"/etc/sluice/") != std::string::npos);
    }
  }
}

TEST_CASE("the documentation shows faults as they are printed") {
  const std::string faults = faults_of(
      "[server]\nlisten = [\"tcp://127.0.0.1:9501\"]\nmax_conections = 10\n\n[[broker]]\n"
      "name = \"o2o\"\nurl = \"mqtt://127.0.0.1\"\nmin_dev_no = 0\nkeepalive_s = 2\n"
      "password = \"${O2O_PASSWORD}\"\n");
  std::istringstream lines(faults);
  const std::string documentation = source_file("docs/configuration.md");
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    CAPTURE(line);
    CHECK(documentation.find("sluice.toml" + line.substr(1) + "\n") != std::string::npos);
  }
  CHECK(count == 4);
}

}  // namespace sluice::config
