// ${NAME} in strings.
#include "config/environment.h"

#include "support.h"

namespace sluice::config {
namespace {

Result<std::string> with_variables(std::string_view text) {
  return substitute(text, [](const std::string& name) -> std::optional<std::string> {
    if (name == "A") return "1";
    if (name == "EMPTY") return "";
    if (name == "NESTED") return "${A}";
    return std::nullopt;
  });
}

}  // namespace

TEST_CASE("variables are replaced wherever they stand") {
  struct Case {
    const char* text;
    const char* result;
  };
  for (const Case& c : {Case{"", ""}, Case{"plain $A {A}", "plain $A {A}"}, Case{"${A}", "1"},
                        Case{"x${A}y${A}", "x1y1"}, Case{"${NONE:-b}", "b"}, Case{"${A:-b}", "1"},
                        Case{"${NONE:-}", ""}, Case{"${EMPTY}", ""}, Case{"${EMPTY:-b}", "b"},
                        Case{"$${A}", "${A}"}, Case{"${A}$${A}", "1${A}"}, Case{"$$A$", "$$A$"},
                        Case{"${NESTED}", "${A}"}, Case{"${NONE:-$${A}", "$${A"}}) {
    CAPTURE(c.text);
    const auto result = with_variables(c.text);
    REQUIRE(result);
    CHECK(result.value() == c.result);
  }
}

TEST_CASE("a variable that is not set and has no fallback is named") {
  const auto result = with_variables("a ${NONE} b");
  REQUIRE_FALSE(result);
  CHECK(result.error().what.find("the environment variable NONE is not set") == 0);
}

TEST_CASE("what looks like a variable and is none is a fault, not a literal") {
  for (const char* text : {"${", "${A", "${}", "${1A}", "${A B}", "${A-b}", "${:-b}"}) {
    CAPTURE(text);
    CHECK_FALSE(with_variables(text));
  }
}

TEST_CASE("a string that is one variable stands for a number, a boolean or a word") {
  const std::string text = with_broker(
      "[server]\nmax_connections = \"${N}\"\nreuse_port = \"${B}\"\nidle_timeout_s = \"${X:-7}\"\n"
      "instance = \"i-${N}\"\nlisten = [\"tcp://h:${N}\"]\n[log]\nlevel = \"${L}\"\n");
  const Config config = config_of(text, {{"N", "12"}, {"B", "true"}, {"L", "warn"}});
  CHECK(config.server.max_connections == 12);
  CHECK(config.server.reuse_port);
  CHECK(config.server.idle_timeout == std::chrono::seconds(7));
  CHECK(config.server.instance == "i-12");
  CHECK(config.server.listen.at(0).port == 12);
  CHECK(config.log.level == log::Level::Warn);

  CHECK(faults_of(text, {{"N", "12x"}, {"B", "yes"}, {"L", "loud"}}) ==
        "f:2:19: server.max_connections: expected an integer from 1 to 1000000, found \"12x\"\n"
        "f:3:14: server.reuse_port: expected true or false, found \"yes\"\n"
        "f:6:11: server.listen: expected tcp://HOST:PORT ([…] around an IPv6 address) or "
        "unix:///PATH, found \"tcp://h:12x\"\n"
        "f:8:9: log.level: expected \"trace\" or \"debug\" or \"info\" or \"warn\" or \"error\", "
        "found \"loud\"\n");
}

TEST_CASE("a number in quotes, or with text around the variable, is no number") {
  CHECK(faults_of(with_broker("[server]\nmax_connections = \"12\"\n")) ==
        "f:2:19: server.max_connections: expected an integer from 1 to 1000000, found \"12\"\n");
  CHECK(faults_of(with_broker("[server]\nmax_connections = \"1${N}\"\n"), {{"N", "2"}}) ==
        "f:2:19: server.max_connections: expected an integer from 1 to 1000000, found "
        "\"1${N}\"\n");
}

TEST_CASE("an unset variable is one fault at the string that names it") {
  const std::string unset =
      ": the environment variable NONE is not set, and there is no fallback: ${NONE:-fallback}\n";
  CHECK(faults_of(broker_with("password = \"${NONE}\"\nkeepalive_s = \"${NONE}\"\n"
                              "max_inflight = \"${NONE}\"\ntls = { insecure = \"${NONE}\" }\n")) ==
        "f:6:12: broker[a].password" + unset + "f:7:15: broker[a].keepalive_s" + unset +
            "f:8:16: broker[a].max_inflight" + unset + "f:9:20: broker[a].tls.insecure" + unset);
}

TEST_CASE("bytes from the environment that are not UTF-8 are refused, and not printed") {
  CHECK(faults_of(with_broker("[replies]\nsuccess = \"${BYTES}\"\n"), {{"BYTES", "a\xff"}}) ==
        "f:2:11: replies.success: expected UTF-8 without U+0000, found other bytes\n");
}

TEST_CASE("what a secret holds by chance between braces is not shown, a usual name is") {
  CHECK(faults_of(broker_with("password = \"a${S3cr3t}b\"\n")) ==
        "f:6:12: broker[a].password: the environment variable named there is not set; $${ stands "
        "for the characters themselves\n");
  CHECK(faults_of(broker_with("password = \"${S3cr3t y}\"\n")).find("S3cr3t") == std::string::npos);
  CHECK(faults_of(broker_with("password = \"${NOT_SET_1}\"\n")).find("variable NOT_SET_1 is not") !=
        std::string::npos);
  CHECK(faults_of(broker_with("username = \"${notSet}\"\n")).find("variable notSet is not") !=
        std::string::npos);
}

}  // namespace sluice::config
