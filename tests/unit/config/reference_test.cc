// The annotated reference and the documentation say what the program does: every key, every
// default, every example.
#include <sstream>

#include "config/keys.h"
#include "documentation.h"

namespace sluice::config {
namespace {

std::vector<std::string> examples_of(const std::string& text) {
  std::vector<std::string> examples;
  for (std::size_t at = 0;;) {
    std::string example = between(text, "```toml\n", "```", at);
    if (example.empty()) return examples;
    examples.push_back(std::move(example));
  }
}

/// The documentation with one thing changed in it, which has to be there once.
std::string with(std::string text, const std::string& old_part, const std::string& new_part) {
  const std::size_t at = text.find(old_part);
  REQUIRE(at != std::string::npos);
  REQUIRE(text.find(old_part, at + 1) == std::string::npos);
  return text.replace(at, old_part.size(), new_part);
}

using Lines = std::vector<std::string>;

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

TEST_CASE(
    "the reference and the documentation have every key that is read, and no other, with the same "
    "default and with the values that are taken") {
  CHECK(known_keys().size() == 56);
  CHECK(differences(source_file("conf/sluice.toml"), source_file("docs/configuration.md")) ==
        Lines{});
}

TEST_CASE("a key that is missing, unknown or wrong in the documentation is found") {
  const std::string reference = source_file("conf/sluice.toml");
  const std::string text = source_file("docs/configuration.md");
  const auto found = [&](const std::string& old_part, const std::string& new_part) {
    return differences(reference, with(text, old_part, new_part));
  };
  CHECK(found("| `max_pipeline` |", "| max_pipeline |") ==
        Lines{"limits.max_pipeline: not documented"});
  CHECK(found("| `end` |", "| `end` | `1` | 1 |\n| `ends` |") ==
        Lines{"replies.end: documented as 1, the reference says \"\\n\"",
              "replies.end: the documentation does not say: at most 64 bytes",
              "replies.ends: documented, but not known"});
  CHECK(found("| `max_connections` | `1024` |", "| `max_connections` | `1023` |") ==
        Lines{"server.max_connections: documented as 1023, the reference says 1024"});
  CHECK(found("0, or 5 to 65535", "0, or 4 to 65535") ==
        Lines{"broker.keepalive_s: 4 is not taken; the documentation allows: 0, or 4 to 65535"});
  CHECK(found("| 1 to 10000 |", "| 1 to 9999 |") ==
        Lines{"broker.connections: 10000 is taken; the documentation allows: 1 to 9999"});
  CHECK(found("| 0, 1, 2 |", "| a number |") ==
        Lines{"defaults.qos: the documentation has no limits"});
  CHECK(found("| `\"text\"`, `\"json\"` |", "| `\"text\"` |").size() == 1);
}

TEST_CASE("a key that is missing, unknown or wrong in the reference is found") {
  const std::string reference = source_file("conf/sluice.toml");
  const std::string documentation = source_file("docs/configuration.md");
  const auto found = [&](const std::string& old_part, const std::string& new_part) {
    return differences(with(reference, old_part, new_part), documentation);
  };
  CHECK(found("\nreuse_port = false", "") == Lines{"server.reuse_port: not in the reference"});
  CHECK(found("\nreuse_port = false", "\nreuse_port = false\nbacklog = 1") ==
        Lines{"server.backlog: in the reference, but not known"});
  CHECK(found("\nkeepalive_s = 30", "\nkeepalive_s = 31") ==
        Lines{"broker.keepalive_s: documented as 30, the reference says 31"});
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
      "[server]\nlisten = [\"tcp://127.0.0.1:9501\"]\nmax_conn = 10\n\n[[broker]]\n"
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
