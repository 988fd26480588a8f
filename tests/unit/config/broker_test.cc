// One [[broker]], and several of them.
#include "config/config.h"

#include "support.h"

#include <fmt/format.h>

namespace sluice::config {
namespace {

Broker broker_of(std::string_view keys) {
  return config_of(broker_with(keys)).brokers.at(0);
}

std::string two_brokers(std::string_view second) {
  return broker_with("") + "[[broker]]\nmin_dev_no = 0\nmax_dev_no = 10\n" + std::string(second);
}

std::string with_url(std::string_view url, std::string_view keys) {
  return "[[broker]]\nname = \"a\"\nmin_dev_no = 0\nmax_dev_no = 10\nurl = \"" + std::string(url) +
         "\"\n" + std::string(keys);
}

}  // namespace

TEST_CASE("every key of a broker reaches its field") {
  const Broker broker = broker_of(
      "connections = 2\nclient_id = \"x-{slot}\"\nusername = \"u\"\npassword = \"p\"\n"
      "protocol = \"3.1.1\"\nkeepalive_s = 5\nconnect_timeout_ms = 1\nack_timeout_ms = 2\n"
      "reconnect_min_ms = 3\nreconnect_max_ms = 4\ndead_after_ms = 0\nmax_inflight = 65535\n"
      "when_dead = \"refuse\"\n"
      "max_qos = 1\nmax_topic_levels = 7\nmax_incoming_packet_bytes = 1024\n"
      "inflight_bytes = 6\nqueue_messages = 7\nqueue_bytes = 8\n");
  Broker expected;
  expected.name = "a";
  expected.url = "mqtt://h";
  expected.host = "h";
  expected.max_dev_no = 10;
  expected.connections = 2;
  expected.client_id = "x-{slot}";
  expected.username = "u";
  expected.password = "p";
  expected.protocol = Protocol::V311;
  expected.keepalive_s = 5;
  expected.connect_timeout = Duration(1);
  expected.ack_timeout = Duration(2);
  expected.reconnect_min = Duration(3);
  expected.reconnect_max = Duration(4);
  expected.dead_after = Duration(0);
  expected.when_dead = WhenDead::Refuse;
  expected.max_inflight = 65535;
  expected.max_qos = 1;
  expected.max_topic_levels = 7;
  expected.max_incoming_packet_bytes = 1024;
  expected.inflight_bytes = 6;
  expected.queue_messages = 7;
  expected.queue_bytes = 8;
  CHECK(broker == expected);
}

TEST_CASE("a broker without any key misses four, all at its own line") {
  CHECK(faults_of("\n[[broker]]\n") ==
        "f:2:1: broker.name: missing; expected a name of letters, digits, \".\", \"_\" and \"-\" "
        "only\n"
        "f:2:1: broker.url: missing; expected mqtt://HOST[:PORT] or mqtts://HOST[:PORT]\n"
        "f:2:1: broker.min_dev_no: missing; expected an integer below every device_id of this "
        "broker\n"
        "f:2:1: broker.max_dev_no: missing; expected an integer above every device_id of this "
        "broker\n");
}

TEST_CASE("a range holds one number at least") {
  const auto range = [](const char* min, const char* max) {
    return faults_of(std::string("[[broker]]\nname = \"a\"\nurl = \"mqtt://h\"\nmin_dev_no = ") +
                     min + "\nmax_dev_no = " + max + "\n");
  };
  CHECK(range("0", "2").empty());
  CHECK(range("-9223372036854775808", "9223372036854775807").empty());
  CHECK(range("0", "1") ==
        "f:5:14: broker[a].max_dev_no: expected at least 2 more than min_dev_no (0), both being "
        "exclusive, found 1\n");
  CHECK_FALSE(range("5", "5").empty());
  CHECK_FALSE(range("9223372036854775807", "-9223372036854775808").empty());
}

TEST_CASE("overlapping ranges are allowed, equal names are not") {
  CHECK(faults_of(two_brokers("name = \"b\"\nurl = \"mqtt://h\"\n")).empty());
  CHECK(faults_of(two_brokers("name = \"a\"\nurl = \"mqtt://x\"\n")) ==
        "f:9:8: broker[a].name: duplicate name \"a\", first used in line 2\n");
  CHECK(faults_of(two_brokers("name = \"b c\"\nurl = \"mqtt://x\"\n")) ==
        "f:9:8: broker.name: expected letters, digits, \".\", \"_\" and \"-\" only, found "
        "\"b c\"\n");
}

TEST_CASE("no client identifier occurs twice at one url") {
  const std::string same = "client_id = \"sluice-{host}-{instance}-a-{slot}\"\n";
  CHECK(faults_of(two_brokers("name = \"b\"\nurl = \"mqtt://H:1883/\"\n" + same)) ==
        "f:11:13: broker[b].client_id: client identifiers must be unique at one url: "
        "\"sluice-{host}-9501-a-0\" is also used by the broker in line 1\n");
  CHECK(faults_of(two_brokers("name = \"b\"\nurl = \"mqtt://h:1884\"\n" + same)).empty());
  // Slot 10 of the one is slot 0 of the other: the texts around a number matter, too.
  CHECK(faults_of(broker_with("client_id = \"x-{slot}\"\n[[broker]]\nname = \"b\"\n"
                              "url = \"mqtt://h\"\nmin_dev_no = 0\nmax_dev_no = 10\n"
                              "client_id = \"x-1{slot}\"\n"))
            .find("f:12:13: broker[b].client_id: client identifiers must be unique at one url: "
                  "\"x-10\" is also used by the broker in line 6") == 0);
}

TEST_CASE("all brokers together have at most 100000 connections") {
  std::string text;
  for (int i = 0; i < 10; ++i)
    text += fmt::format(
        "[[broker]]\nname = \"b{0}\"\nurl = \"mqtt://h{0}\"\nmin_dev_no = 0\n"
        "max_dev_no = 10\nconnections = 10000\n",
        i);
  CHECK(faults_of(text).empty());
  text += "[[broker]]\nname = \"b\"\nurl = \"mqtt://h\"\nmin_dev_no = 0\nmax_dev_no = 10\n";
  CHECK(faults_of(text + "connections = 1\n") ==
        "f:66:15: broker[b].connections: expected at most 100000 connections of all brokers "
        "together, found 100001\n");
}

TEST_CASE("there are at most 1000 brokers") {
  std::string text;
  const auto add = [&text](int number) {
    text += fmt::format(
        "[[broker]]\nname = \"b{0}\"\nurl = \"mqtt://h{0}\"\nmin_dev_no = 0\n"
        "max_dev_no = 10\n",
        number);
  };
  for (int i = 0; i < 1000; ++i)
    add(i);
  CHECK(faults_of(text).empty());
  add(1000);
  CHECK(faults_of(text) ==
        "f:5001:1: broker: expected at most 1000 tables [[broker]], found 1001\n");
}

TEST_CASE("several connections need a slot in their identifier, one does not") {
  CHECK(faults_of(broker_with("client_id = \"x\"\nconnections = 1\n")).empty());
  CHECK(faults_of(broker_with("client_id = \"x\"\nconnections = 2\n")) ==
        "f:6:13: broker[a].client_id: must contain {slot}: each of the 2 connections needs its own "
        "client ID\n");
  CHECK(faults_of(broker_with("client_id = \"x\"\nconnections = 0\n")) ==
        "f:7:15: broker[a].connections: expected an integer from 1 to 10000, found 0\n");
}

TEST_CASE("a client identifier has known placeholders and a length MQTT can carry") {
  CHECK(faults_of(broker_with("client_id = \"{slot}{hots}\"\n")) ==
        "f:6:13: broker[a].client_id: expected the placeholders {host}, {instance}, {broker}, "
        "{slot} and {pid} only, found \"{hots}\"\n");
  CHECK(faults_of(broker_with("client_id = \"\"\n"))
            .find("f:6:13: broker[a].client_id: expected 1 to 65535 bytes") == 0);
  CHECK(faults_of(broker_with("client_id = \"{slot}{host}" + std::string(65500, 'x') + "\"\n"))
            .find("f:6:13: broker[a].client_id: expected 1 to 65535 bytes") == 0);
  CHECK(faults_of(broker_with("client_id = \"{slot}\\t\"\n")).find("without control characters") !=
        std::string::npos);
}

TEST_CASE("the first line of password_file is the password") {
  const TemporaryFile unix_file("s3cret\nsecond\n");
  const TemporaryFile dos_file("s3cret\r\n");
  const TemporaryFile bare_file("s3cret");
  for (const TemporaryFile* file : {&unix_file, &dos_file, &bare_file})
    CHECK(broker_of("password_file = \"" + file->path() + "\"\n").password == "s3cret");
}

TEST_CASE("a password file that is missing, empty, or beside a password is a fault") {
  const TemporaryFile empty("\nsecond\n");
  const TemporaryFile endless(std::string(70000, 'x'));
  const TemporaryFile good("s3cret\n");
  const auto faults = [](const std::string& path, const char* more = "") {
    return faults_of(broker_with("password_file = \"" + path + "\"\n" + more));
  };
  CHECK(faults("/nonexistent") ==
        "f:6:17: broker[a].password_file: cannot read \"/nonexistent\": No such file or "
        "directory\n");
  CHECK(faults(empty.path()).find("in the first line of") != std::string::npos);
  CHECK(faults(endless.path()).find("longer than 65535 bytes") != std::string::npos);
  CHECK(faults(good.path(), "password = \"p4ss\"\n") ==
        "f:6:17: broker[a].password_file: expected either password or password_file, found both\n");
}

TEST_CASE("a password is in no message, whatever is wrong with it") {
  for (const char* password : {"4711", "[\"4711\"]", "4711.5", "\"4711\\u0000\""}) {
    CAPTURE(password);
    const std::string found = faults_of(broker_with("password = " + std::string(password) + "\n"));
    CHECK(found.find("f:6:12: broker[a].password: ") == 0);
    CHECK(found.find("4711") == std::string::npos);
  }
  CHECK(faults_of(with_url("mqtt://u:4711@h", "")).find("4711") == std::string::npos);
}

TEST_CASE("MQTT 3.1.1 has no password without a user name") {
  CHECK(faults_of(broker_with("password = \"p\"\n")).empty());
  CHECK(faults_of(broker_with("password = \"p\"\nprotocol = \"3.1.1\"\n")) ==
        "f:1:1: broker[a].username: required, since MQTT 3.1.1 allows no password without a user "
        "name\n");
  CHECK(faults_of(broker_with("protocol = 5\n")) ==
        "f:6:12: broker[a].protocol: expected \"5\" or \"3.1.1\", found 5\n");
}

TEST_CASE("keep alive is off or at least five seconds") {
  CHECK(faults_of(broker_with("keepalive_s = 0\n")).empty());
  CHECK(faults_of(broker_with("keepalive_s = 65535\n")).empty());
  CHECK(faults_of(broker_with("keepalive_s = 4\n")) ==
        "f:6:15: broker[a].keepalive_s: expected 0 or an integer from 5 to 65535, found 4\n");
  CHECK_FALSE(faults_of(broker_with("keepalive_s = 65536\n")).empty());
}

TEST_CASE("the window is a number or automatic") {
  CHECK_FALSE(broker_of("max_inflight = \"auto\"\n").max_inflight);
  CHECK(broker_of("max_inflight = 1\n").max_inflight == 1U);
  CHECK_FALSE(config_of(broker_with("max_inflight = \"${W}\"\n"), {{"W", "auto"}})
                  .brokers.at(0)
                  .max_inflight);
  CHECK(config_of(broker_with("max_inflight = \"${W}\"\n"), {{"W", "9"}})
            .brokers.at(0)
            .max_inflight == 9U);
  CHECK(faults_of(broker_with("max_inflight = \"all\"\n")) ==
        "f:6:16: broker[a].max_inflight: expected \"auto\" or an integer from 1 to 65535, found "
        "\"all\"\n");
  CHECK_FALSE(faults_of(broker_with("max_inflight = 0\n")).empty());
  CHECK_FALSE(faults_of(broker_with("max_inflight = 65536\n")).empty());
}

TEST_CASE("the shortest pause before an attempt is not above the longest") {
  CHECK(faults_of(broker_with("reconnect_min_ms = 30001\n")) ==
        "f:6:20: broker[a].reconnect_min_ms: expected reconnect_min_ms not above reconnect_max_ms, "
        "found 30001 and 30000\n");
  CHECK(faults_of(broker_with("reconnect_min_ms = 5\nreconnect_max_ms = 5\n")).empty());
}

TEST_CASE("tls stands inline or in a table of its own, below its own broker") {
  const TemporaryFile file("pem");
  const std::string quoted_path = "\"" + file.path() + "\"";
  const Config inside = config_of(
      with_url("mqtts://h", "tls = { ca = " + quoted_path + ", certificate = " + quoted_path +
                                ", key = " + quoted_path + ", insecure = false }\n"));
  const Broker& broker = inside.brokers.at(0);
  CHECK(broker.tls_enabled);
  CHECK(broker.port == 8883);
  CHECK(broker.tls == BrokerTls{file.path(), file.path(), file.path(), false});
  CHECK(inside == config_of(with_url("mqtts://h", "[broker.tls]\nca = " + quoted_path +
                                                      "\ncertificate = " + quoted_path +
                                                      "\nkey = " + quoted_path + "\n")));
}

TEST_CASE("certificate and key come together, and every file can be read") {
  const TemporaryFile file("pem");
  CHECK(faults_of(with_url("mqtts://h", "tls = { certificate = \"" + file.path() + "\" }\n")) ==
        "f:6:23: broker[a].tls.certificate: certificate and key must be set together, found only "
        "one\n");
  CHECK(faults_of(with_url("mqtts://h", "tls = { ca = \"/nonexistent\" }\n")) ==
        "f:6:14: broker[a].tls.ca: cannot read \"/nonexistent\": No such file or directory\n");
  CHECK(faults_of(with_url("mqtts://h", "tls = { ca = \"/tmp\" }\n")).find("Is a directory") !=
        std::string::npos);
}

TEST_CASE("keys of tls are refused without TLS, unless they say nothing") {
  CHECK(faults_of(with_url("mqtt://h", "tls = { insecure = true }\n")) ==
        "f:6:20: broker[a].tls.insecure: allowed only with mqtts://, but url is mqtt://\n");
  CHECK(faults_of(with_url("mqtt://h", "tls = { ca = \"\", insecure = false }\n")).empty());
}

TEST_CASE("trusting any certificate is allowed with a warning") {
  const Loaded loaded = parse_text(with_url("mqtts://h", "tls = { insecure = true }\n"));
  REQUIRE(loaded.config);
  REQUIRE(loaded.warnings.size() == 1);
  CHECK(loaded.warnings[0].what.find("broker[a].tls.insecure: ") == 0);
}

}  // namespace sluice::config
