// Files and whole documents: reading, syntax, order of the faults, warnings.
#include "config/load.h"

#include "support.h"

namespace sluice::config {
namespace {

std::optional<std::string> nothing(const std::string&) {
  return std::nullopt;
}

}  // namespace

TEST_CASE("a file is read, and its name stands before each fault") {
  const TemporaryFile good(broker_with(""));
  const Loaded loaded = load(good.path(), nothing, 1048576);
  CHECK(loaded.faults.empty());
  REQUIRE(loaded.config);
  CHECK(loaded.config->brokers.at(0).name == "a");

  const TemporaryFile bad(broker_with("x = 1"));
  const Loaded refused = load(bad.path(), nothing, 1048576);
  CHECK_FALSE(refused.config);
  REQUIRE(refused.faults.size() == 1);
  CHECK(refused.faults[0].text().find(bad.path() + ":6:1: broker[a].x: unknown key") == 0);
}

TEST_CASE("a file that cannot be read is one fault at 1:1 with the reason") {
  const Loaded missing = load("/nonexistent/sluice.toml", nothing, 1048576);
  REQUIRE(missing.faults.size() == 1);
  CHECK(missing.faults[0].text() ==
        "/nonexistent/sluice.toml:1:1: cannot read the file: No such file or directory");
  const Loaded directory = load("/", nothing, 1048576);
  REQUIRE(directory.faults.size() == 1);
  CHECK(directory.faults[0].text() == "/:1:1: cannot read the file: Is a directory");
}

TEST_CASE("a syntax error is the only fault, at its place") {
  const Loaded loaded = parse_text("[server]\nunknown = 1\nlisten = [\n[log]\nlevel = ?\n");
  REQUIRE(loaded.faults.size() == 1);
  CHECK(loaded.faults[0].line >= 3);
  CHECK(loaded.faults[0].what.find("not TOML: ") == 0);
  CHECK(faults_of("a = 1\na = 2\n").find("f:2:") == 0);
  CHECK(faults_of("a = \"\xff\"\n").find("f:1:") == 0);
  CHECK(faults_of(std::string(100000, '[')).find("f:1:") == 0);
}

// Found by fuzz-config: toml++ repeats what it saw as it is.
TEST_CASE("a syntax error is one line, whatever the text holds there") {
  CHECK(faults_of("a = in\n").find("saw 'in\\x0a'") != std::string::npos);
  CHECK(faults_of("a = i\t1\n").find("saw 'i\\x09'") != std::string::npos);
}

// Found by fuzz-config: toml++ counts the end of a text as one more column of its last line.
TEST_CASE("a text that ends too early is at fault right behind its last character") {
  CHECK(faults_of("[log]\nfile = \"\"\"\u00e4\u00f6\n").find("f:2:13: not TOML") == 0);
  CHECK(faults_of("[log]\nfile = \"\"\"\u00e4\u00f6").find("f:2:13: not TOML") == 0);
  CHECK(faults_of("[log").find("f:1:5: not TOML") == 0);
}

TEST_CASE("a number that TOML cannot hold is not repeated: it may be a password") {
  for (const char* value :
       {"918273645546372819009", "-918273645546372819009", "1e918273645546372819",
        "0x918273645546372819009", "[918273645546372819009]"}) {
    CAPTURE(value);
    const std::string faults = faults_of(broker_with("password = " + std::string(value) + "\n"));
    CHECK(faults.find("f:6:") == 0);
    CHECK(faults.find("9182") == std::string::npos);
    CHECK(faults.find(": the number ") != std::string::npos);
  }
  CHECK(faults_of("a = 1\na = 2\n").find("'a'") != std::string::npos);
  CHECK(faults_of("a ! 1\n").find("expected '=', saw '!'") != std::string::npos);
}

TEST_CASE("all faults come at once, in the order of their places") {
  CHECK(faults_of("[log]\nlevel = 3\n[defaults]\nqos = 3\nqoz = 1\n"
                  "[[broker]]\nname = \"a\"\nmin_dev_no = \"x\"\n") ==
        "f:2:9: log.level: expected \"trace\" or \"debug\" or \"info\" or \"warn\" or \"error\", "
        "found 3\n"
        "f:4:7: defaults.qos: expected an integer from 0 to 2, found 3\n"
        "f:5:1: defaults.qoz: unknown key; the nearest known one is defaults.qos\n"
        "f:6:1: broker[a].url: missing; expected mqtt://HOST[:PORT] or mqtts://HOST[:PORT]\n"
        "f:6:1: broker[a].max_dev_no: missing; expected an integer above every device_id of this "
        "broker\n"
        "f:8:14: broker[a].min_dev_no: expected an integer from -9223372036854775808 to "
        "9223372036854775807, found \"x\"\n");
}

TEST_CASE("a file without a broker is told so at 1:1") {
  const std::string fault = "f:1:1: broker: no [[broker]]; at least one is required\n";
  CHECK(faults_of("") == fault);
  CHECK(faults_of("\n\n[server]\n") == fault);
  CHECK(faults_of("broker = []\n") == fault);
}

TEST_CASE("a byte order mark before the first table is no part of it") {
  CHECK(faults_of("\xef\xbb\xbf" + broker_with("")).empty());
  // Nor does it shift the places of faults.
  CHECK(faults_of("\xef\xbb\xbfx = 1") == faults_of("x = 1"));
  CHECK(faults_of("\xef\xbb\xbf" + std::string(1000, '[')) == faults_of(std::string(1000, '[')));
}

TEST_CASE("where descriptors are short, clients leave the connections to brokers theirs") {
  const std::string text = broker_with("connections = 2\n");
  const Loaded enough = parse_text(text, {}, 1024 + 3 * 2 + 32);
  CHECK(enough.warnings.empty());
  CHECK(enough.config.value().server.max_connections == 1024);
  CHECK(enough.config.value().server.max_refused == 8);
  CHECK(parse_text(text, {}, 1024 + 3 * 2 + 32 + 100).config.value().server.max_refused == 100);
  CHECK(parse_text(text).config.value().server.max_refused == 256);
  CHECK(enough.config->server.max_half_closed == 0);
  CHECK(parse_text(text, {}, 1024 + 3 * 2 + 32 + 300).config.value().server.max_half_closed == 44);
  CHECK(parse_text(text).config.value().server.max_half_closed == 1024);

  const Loaded fewer = parse_text(text, {}, 1024 + 3 * 2 + 31);
  REQUIRE(fewer.config);
  CHECK(fewer.config->server.max_connections == 1023);
  CHECK(fewer.config->server.max_refused == 8);
  REQUIRE(fewer.warnings.size() == 1);
  CHECK(fewer.warnings[0].what.find("up to 1062 files") == 0);
  CHECK(fewer.warnings[0].what.find("limit is 1061: max_connections lowered to 1023") !=
        std::string::npos);

  CHECK(parse_text(text, {}, 10).config.value().server.max_connections == 1);
}

TEST_CASE("processes that share a port without an instance each are warned") {
  CHECK(parse_text(with_broker("[server]\nreuse_port = true\n")).warnings.size() == 1);
  CHECK(
      parse_text(with_broker("[server]\nreuse_port = true\ninstance = \"1\"\n")).warnings.empty());
}

TEST_CASE("configurations are equal when all their values are") {
  const Config one = config_of(with_broker("[log]\nfile = \"x\"\n"));
  CHECK(one == config_of(with_broker("# a comment\n[log]\nfile = \"x\"\n")));
  CHECK_FALSE(one == config_of(with_broker("[log]\nfile = \"y\"\n")));
  CHECK_FALSE(one == config_of(with_broker("[log]\nfile = \"x\"\n[limits]\nmax_pipeline = 1\n")));
}

}  // namespace sluice::config
