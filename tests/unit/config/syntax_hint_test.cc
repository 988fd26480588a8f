// What a line that is no TOML was meant to be.
#include "config/syntax_hint.h"

#include "support.h"

namespace sluice::config {

TEST_CASE("YAML and JSON are told how TOML writes it") {
  CHECK(syntax_hint("server:") == "write it as a table: [server]");
  CHECK(syntax_hint("  max_connections: 5") == "write max_connections = …, with an equals sign");
  CHECK(syntax_hint("- name: a").find("this looks like YAML") == 0);
  CHECK(syntax_hint("---").find("this looks like YAML") == 0);
  CHECK(syntax_hint("{").find("this looks like JSON") == 0);
  CHECK(syntax_hint("{\"server\": {}}").find("this looks like JSON") == 0);
}

TEST_CASE("a string without quotes is told to have some, and is not repeated") {
  CHECK(syntax_hint("url = mqtt://h") == "a string stands in quotes: url = \"…\"");
  CHECK(syntax_hint("file=/var/log/x\r") == "a string stands in quotes: file = \"…\"");
  CHECK(syntax_hint("host = 127.0.0.1") ==
        "a number has no unit, and a string stands in quotes: host = \"…\"");
  CHECK(syntax_hint("drain_timeout_ms = 8s").find("a number has no unit") == 0);
  CHECK(syntax_hint("url = “mqtt://h”") == "use straight quotes: url = \"…\"");
  CHECK(syntax_hint("tcp_fastopen = Yes # fast") ==
        "write tcp_fastopen = true or tcp_fastopen = false");
}

TEST_CASE("a line that says nothing of what was meant has no hint") {
  for (const char* line :
       {"", "[server", "a = \"b", "a = [", "= 5", "a =", "a b = 5", "\"a\": 1", "# server:"}) {
    CAPTURE(line);
    CHECK(syntax_hint(line).empty());
  }
  CHECK(syntax_hint(std::string(65, 'k') + ": 1").empty());
}

TEST_CASE("a syntax error carries the hint for its line, and never the value") {
  CHECK(faults_of("server:\n  listen: x\n").find("; write it as a table: [server]\n") !=
        std::string::npos);
  const std::string secret = faults_of(broker_with("password = S3cr3t\n"));
  CHECK(secret.find("a string stands in quotes: password = ") != std::string::npos);
  CHECK(secret.find("S3cr3t") == std::string::npos);
}

}  // namespace sluice::config
