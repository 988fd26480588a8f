// Tables and keys: types, bounds, unknown keys, and what contradicts itself.
#include "config/keys.h"

#include "support.h"

namespace sluice::config {
namespace {

struct Bound {
  const char* table;
  const char* key;
  std::int64_t min;
  std::int64_t max;
};

constexpr Bound kBounds[] = {
    {"server", "max_connections", 1, 1000000},
    {"server", "idle_timeout_s", 0, 31536000},
    {"server", "drain_delay_ms", 0, 3600000},
    {"server", "drain_timeout_ms", 0, 3600000},
    {"defaults", "qos", 0, 2},
    {"limits", "max_request_bytes", 64, 16777215},
    {"limits", "max_json_depth", 1, 1024},
    {"limits", "max_pipeline", 1, 1000000},
    {"limits", "output_bytes", 1024, 1099511627776},
    {"limits", "request_timeout_ms", 1, 3600000},
    {"limits", "write_timeout_ms", 1, 3600000},
};

std::string setting(const Bound& bound, std::int64_t value) {
  return with_broker(std::string("[") + bound.table + "]\n" + bound.key + " = " +
                     std::to_string(value) + "\n");
}

}  // namespace

TEST_CASE("a number is taken at its bounds and refused beyond them") {
  for (const Bound& bound : kBounds) {
    CAPTURE(bound.key);
    CHECK(faults_of(setting(bound, bound.min)).empty());
    CHECK(faults_of(setting(bound, bound.max)).empty());
    for (const std::int64_t value : {bound.min - 1, bound.max + 1}) {
      const std::string found = faults_of(setting(bound, value));
      CHECK(found.find("expected an integer from " + std::to_string(bound.min) + " to " +
                       std::to_string(bound.max) + ", found " + std::to_string(value)) !=
            std::string::npos);
    }
  }
}

TEST_CASE("request_end is a short text that neither JSON nor HTTP begins with") {
  const auto faults = [](const std::string& value) {
    return faults_of(with_broker("[server]\nrequest_end = " + value + "\n"));
  };
  for (const char* taken : {"''", "'##'", "'\\r\\n##\\r\\n'", "\"\\n##\\n\"", "\"\\u001e\"",
                            "'ping'", "'0123456789abcdef'", "'GETEND'", "'END OF'", "'}'"}) {
    CAPTURE(taken);
    CHECK(faults(taken).empty());
  }
  CHECK(faults("'0123456789abcdefg'") ==
        "f:2:15: server.request_end: expected at most 16 bytes, found 17\n");
  CHECK(faults("\" \\r\\n\"") ==
        "f:2:15: server.request_end: expected more than white space, which is skipped between "
        "requests without this key, found \" \\x0d\\x0a\"\n");
  for (const char* refused : {"'#{'", "'\"'", "\"'\""}) {
    CAPTURE(refused);
    CHECK(faults(refused).find("expected no \"{\" and no quotes, which JSON needs, found ") !=
          std::string::npos);
  }
  CHECK(faults("\"#\\n#\"").find("expected no newline between other characters") !=
        std::string::npos);
  for (const char* refused : {"'GET '", "'P'", "' PUT'", "'host'", "'HOST: x'", "'PRI * HTTP'"}) {
    CAPTURE(refused);
    CHECK(faults(refused).find("expected nothing that an HTTP request can begin with, found ") !=
          std::string::npos);
  }
  CHECK_FALSE(faults("\"\\u0000\"").empty());
  CHECK(config_of(with_broker("[server]\nrequest_end = '##'\n")).server.request_end == "##");
}

TEST_CASE("a value of the wrong type is told what it should be and what it is") {
  CHECK(faults_of(with_broker("[server]\nlisten = 1\ninstance = 1\n"
                              "max_connections = 1.5\ntcp_fastopen = 1\nidle_timeout_s = true\n"
                              "drain_delay_ms = 2020-01-01\ndrain_timeout_ms = [1]\n")) ==
        "f:2:10: server.listen: expected a list of strings, found 1\n"
        "f:3:12: server.instance: expected a string, found 1\n"
        "f:4:19: server.max_connections: expected an integer from 1 to 1000000, found a number "
        "with a fraction\n"
        "f:5:16: server.tcp_fastopen: expected true or false, found 1\n"
        "f:6:18: server.idle_timeout_s: expected an integer from 0 to 31536000, found true\n"
        "f:7:18: server.drain_delay_ms: expected an integer from 0 to 3600000, found a date or a "
        "time\n"
        "f:8:20: server.drain_timeout_ms: expected an integer from 0 to 3600000, found a list\n");
}

TEST_CASE("a table that is a value, and a broker in single brackets, are told how to be written") {
  CHECK(faults_of("server = 1\n[broker]\nname = \"a\"\n") ==
        "f:1:10: server: expected a table: [server], found 1\n"
        "f:2:1: broker: expected a list of tables: [[broker]], found a table\n");
  CHECK(faults_of("broker = [1]\n") ==
        "f:1:11: broker: expected a list of tables: [[broker]], found 1\n");
}

TEST_CASE("an unknown key names the nearest known one") {
  CHECK(faults_of(with_broker("[servr]\n[server]\nmax_conections = 1\n")) ==
        "f:1:2: servr: unknown key; the nearest known one is server\n"
        "f:3:1: server.max_conections: unknown key; the nearest known one is "
        "server.max_connections\n");
  CHECK(
      faults_of(broker_with("[broker.tls]\ncert = \"\"\n"))
          .find(
              "f:7:1: broker[a].tls.cert: unknown key; the nearest known one is broker[a].tls.") ==
      0);
}

TEST_CASE("a key in the wrong table is told where it belongs") {
  CHECK(faults_of("max_pipeline = 1\n" + broker_with("qos = 1\n")) ==
        "f:1:1: max_pipeline: unknown key; the nearest known one is limits.max_pipeline\n"
        "f:7:1: broker[a].qos: unknown key; the nearest known one is defaults.qos\n");
}

TEST_CASE("a key named as elsewhere, or in part, leads to the one that is meant") {
  const auto fault = [](std::string_view table, std::string_view key) {
    const std::string text =
        faults_of(with_broker(std::string(table) + "\n" + std::string(key) + " = 1\n"));
    return text.substr(text.find("unknown key; ") + 13);
  };
  CHECK(fault("[server]", "max_conn") == "the nearest known one is server.max_connections\n");
  CHECK(fault("[limits]", "max_conn") == "the nearest known one is server.max_connections\n");
  CHECK(fault("[limits]", "timeout_ms") ==
        "the nearest known ones are limits.max_timeout_ms, limits.request_timeout_ms, "
        "limits.write_timeout_ms\n");
  CHECK(fault("[server]", "host") == "the nearest known one is server.listen\n");
  CHECK(fault("[server]", "Port") == "the nearest known one is server.listen\n");
  CHECK(faults_of(broker_with("host = 1\nuser = 1\nqueue_size = 1\n")) ==
        "f:6:1: broker[a].host: unknown key; the nearest known one is broker[a].url\n"
        "f:7:1: broker[a].user: unknown key; the nearest known one is broker[a].username\n"
        "f:8:1: broker[a].queue_size: unknown key; the nearest known ones are "
        "broker[a].queue_messages, broker[a].queue_bytes\n");
  CHECK(faults_of(broker_with("ssl = true\ncafile = \"\"\n[broker.tls]\ncafile = \"\"\n")) ==
        "f:6:1: broker[a].ssl: unknown key; the nearest known one is broker[a].tls\n"
        "f:7:1: broker[a].cafile: unknown key; the nearest known one is broker[a].tls\n"
        "f:9:1: broker[a].tls.cafile: unknown key; the nearest known one is broker[a].tls.ca\n");
}

TEST_CASE("the keys of a table are listed once, and for a bounded number of unknown ones") {
  const std::string two = faults_of(with_broker("[replies]\nfrob = 1\nnicate = 1\n"));
  CHECK(two.find("; allowed are") == two.rfind("; allowed are"));
  std::string many = "[replies]\n";
  for (int i = 0; i < 101; ++i)
    many += "k" + std::to_string(i) + " = 1\n";
  const std::string faults = faults_of(with_broker(many));
  const std::string_view plain = ": unknown key\n";
  CHECK(faults.find(plain) != std::string::npos);
  CHECK(faults.find(plain) == faults.rfind(plain));
}

TEST_CASE("a key that resembles none is shown all that are allowed, on one line") {
  CHECK(faults_of(with_broker("[admin]\n\"a\\nb\" = 1\n")) ==
        "f:2:1: admin.\"a\\x0ab\": unknown key; the nearest known one is admin.listen; allowed are "
        "listen\n");
  CHECK(faults_of(with_broker("[server.tls]\nkey = \"\"\n")).find("server.tls: unknown key") !=
        std::string::npos);
  const std::string client = faults_of("[[client]]\nname = \"shop\"\n" + broker_with(""));
  CHECK(client.find("f:1:3: client: unknown key") == 0);
  CHECK(client.find("allowed are server, defaults, limits, replies, log, admin, broker") !=
        std::string::npos);
}

TEST_CASE("listeners are a list of different addresses") {
  const Config config =
      config_of(with_broker("[server]\nlisten = [\"unix:///run/s\", \"tcp://[::]:1\"]\n"));
  REQUIRE(config.server.listen.size() == 2);
  CHECK(config.server.listen[0].path == "/run/s");
  CHECK(config.server.listen[1].host == "::");

  CHECK(config_of(with_broker("[server]\nlisten = \"tcp://h:1\"\n")).server.listen ==
        std::vector<Address>{{Address::Kind::Tcp, "h", 1, ""}});
  CHECK(faults_of(with_broker("[server]\nlisten = \"h\"\n")).find("f:2:10: server.listen: ") == 0);
  CHECK(faults_of(with_broker("[server]\nlisten = []\n")) ==
        "f:2:10: server.listen: expected at least one address, found an empty list\n");
  CHECK(faults_of(with_broker("[server]\nlisten = [\"tcp://h:1\", 5,\n\"tls://h:2\"]\n")) ==
        "f:2:24: server.listen: expected a list of strings, found 5\n");
  CHECK(faults_of(with_broker("[server]\nlisten = [\"tcp://h:1\", \"tls://h:2\"]\n")) ==
        "f:2:24: server.listen: expected tcp://HOST:PORT ([…] around an IPv6 address) or "
        "unix:///PATH, found \"tls://h:2\"\n");
  CHECK(faults_of(
            with_broker("[server]\nlisten = [\"tcp://h:1\", \"tcp://x:1\", \"tcp://H:1\"]\n")) ==
        "f:2:37: server.listen: duplicate address \"tcp://H:1\"; each may be listed once\n");
  CHECK(faults_of(with_broker("[server]\nlisten = [\"tcp://h:0\", \"tcp://h:0\"]\n")).empty());
  CHECK(faults_of(with_broker("[server]\nlisten = [\"unix:///A\", \"unix:///a\"]\n")).empty());
}

TEST_CASE("the admin address is off, or another than that of every listener") {
  CHECK_FALSE(config_of(with_broker("[admin]\nlisten = \"\"\n")).admin.listen);
  CHECK(config_of(with_broker("[admin]\nlisten = \"[::1]:1\"\n")).admin.listen->host == "::1");
  CHECK(faults_of(with_broker("[admin]\nlisten = \"127.0.0.1:9501\"\n")) ==
        "f:2:10: admin.listen: expected different addresses in server.listen and admin.listen, "
        "found \"tcp://127.0.0.1:9501\" in both\n");
  CHECK(faults_of(with_broker("[server]\nlisten = [\"tcp://127.0.0.1:9580\"]\n"))
            .find("f:2:10: server.listen: expected different addresses") == 0);
  CHECK(faults_of(with_broker("[admin]\nlisten = \"unix:///run/s\"\n"))
            .find("f:2:10: admin.listen: expected HOST:PORT") == 0);
}

TEST_CASE("an instance is fit for a client identifier, also one taken from a socket's name") {
  CHECK(faults_of(with_broker("[server]\ninstance = \"a b\"\n")) ==
        "f:2:12: server.instance: expected letters, digits, \".\", \"_\" and \"-\" only, found "
        "\"a b\"\n");
  const std::string socket = "[server]\nlisten = [\"unix:///run/a b\"]\n";
  CHECK(faults_of(with_broker(socket)).find("f:1:1: server.instance: required: a name of") == 0);
  CHECK(faults_of(with_broker(socket + "instance = \"ab\"\n")).empty());
}

TEST_CASE("limits that contradict each other are one fault, where the file speaks of them") {
  CHECK(faults_of(with_broker("[defaults]\npublish_timeout_ms = 60001\n")) ==
        "f:2:22: defaults.publish_timeout_ms: expected defaults.publish_timeout_ms not above "
        "limits.max_timeout_ms, found 60001 and 60000\n");
  CHECK(faults_of(with_broker("[limits]\nmax_timeout_ms = 9999\n"))
            .find("f:2:18: limits.max_timeout_ms: expected defaults.publish_timeout_ms not") == 0);
  CHECK(faults_of(with_broker("[limits]\nmax_timeout_ms = 10000\n")).empty());
  CHECK(faults_of(with_broker("[limits]\nmax_timeout_ms = 0\n")) ==
        "f:2:18: limits.max_timeout_ms: expected an integer from 1 to 86400000, found 0\n");
  CHECK(faults_of(with_broker("[limits]\ninput_bytes = 1048575\n")) ==
        "f:2:15: limits.input_bytes: expected max_request_bytes not above input_bytes, found "
        "1048576 and 1048575\n");
}

TEST_CASE("a log file needs a folder that is there, and is not opened") {
  CHECK(faults_of(with_broker("[log]\nfile = \"/nonexistent/a/log\"\n")) ==
        "f:2:8: log.file: cannot write \"/nonexistent/a/log\": there is no folder /nonexistent/a; "
        "create it for the user that runs sluice\n");
  CHECK(faults_of(with_broker("[log]\nfile = \"/tmp\"\n")) ==
        "f:2:8: log.file: cannot write \"/tmp\": Is a directory\n");
  for (const char* good : {"/dev/null", "/dev/stderr", "/dev/fd/7", "relative", "/tmp/none-yet"}) {
    CAPTURE(good);
    CHECK(faults_of(with_broker("[log]\nfile = \"" + std::string(good) + "\"\n")).empty());
    CHECK(::access("/tmp/none-yet", F_OK) != 0);
  }
}

TEST_CASE("texts of replies are taken as they are") {
  const Config config =
      config_of(with_broker("[replies]\nsuccess = \"\"\nfailure = \"né\"\nend = \"\\r\\n\"\n"));
  CHECK(config.replies.success.empty());
  CHECK(config.replies.failure == "né");
  CHECK(config.replies.end == "\r\n");
  CHECK(faults_of(with_broker("[replies]\nend = \"" + std::string(65, 'x') + "\"\n")) ==
        "f:2:7: replies.end: expected at most 64 bytes, found 65\n");
}

}  // namespace sluice::config
