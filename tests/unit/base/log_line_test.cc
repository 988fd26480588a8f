// A line's text and its JSON, whatever bytes it is made of, and the names in it.
#include "base/log_line.h"

#include <array>
#include <string>

#include "catch.h"

namespace sluice::log {

TEST_CASE("clients, brokers and slots have one form each", "[log]") {
  CHECK(Subject::client("10.0.0.7:51422", 81).text() == "client 10.0.0.7:51422 #81");
  CHECK(Subject::client("unix", 7).text() == "client unix #7");
  CHECK(Subject::client({}, 0).text() == "client gone");
  CHECK(Subject::broker("o2o").text() == "broker o2o");
  CHECK(Subject::slot("o2o", 3).text() == "broker o2o slot 3");
  CHECK(Subject().is_empty());
}

TEST_CASE("a text line says its level, whom it is about, and what", "[log]") {
  CHECK(text_line(Level::Warn, Subject::slot("o2o", 0), "lost", false) ==
        "warn  broker o2o slot 0: lost");
  CHECK(text_line(Level::Error, {}, "no", false) == "error no");
  CHECK(text_line(Level::Warn, {}, "no", true) == "\x1b[33mwarn \x1b[0m no");
}

TEST_CASE("no byte of a message can forge a line or command a terminal", "[log]") {
  CHECK(text_line(Level::Info, Subject::client("x\n", 1), "a\nb\x1b[2J\x7f", false) ==
        R"(info  client x\x0a #1: a\x0ab\x1b[2J\x7f)");
  CHECK(text_line(Level::Info, {}, "a\xc2\x9b\x32J 发 \xff", false) ==
        "info  a\\xc2\\x9b\x32J 发 \xff");  // U+009B is ESC [ for some
}

TEST_CASE("in JSON whom a line is about is members of its own", "[log]") {
  CHECK(json_line(Level::Info, Subject::client("10.0.0.7:51422", 81), "closed") ==
        R"("level":"info","client":"10.0.0.7:51422 #81","message":"closed"})");
  CHECK(json_line(Level::Warn, Subject::slot("o2o", 3), "lost") ==
        R"("level":"warn","broker":"o2o","slot":3,"message":"lost"})");
  CHECK(json_line(Level::Debug, {}, "x") == R"("level":"debug","message":"x"})");
}

TEST_CASE("in JSON what is UTF-8 stays, and each other byte becomes U+FFFD", "[log]") {
  const auto message = [](const std::string& text) {
    const std::string line = json_line(Level::Info, {}, text);
    const std::string before = R"("level":"info","message":")";
    REQUIRE(line.compare(0, before.size(), before) == 0);
    return line.substr(before.size(), line.size() - before.size() - 2);
  };
  const std::string bad = "\xEF\xBF\xBD";
  CHECK(message("mqtt 消息 \xf0\x9f\x98\x80") == "mqtt 消息 \xf0\x9f\x98\x80");
  CHECK(message("\"\\\n\x7f") == R"(\"\\\u000a\u007f)");
  CHECK(message(std::string("\0", 1)) == "\\u0000");
  CHECK(message("\xff") == bad);
  CHECK(message("\x80z") == bad + "z");
  CHECK(message("\xc3") == bad);                      // ends too early
  CHECK(message("\xc3(") == bad + "(");               // goes on wrongly
  CHECK(message("\xc0\xaf") == bad + bad);            // overlong
  CHECK(message("\xe0\x80\xaf") == bad + bad + bad);  // overlong
  CHECK(message("\xed\xa0\x80") == bad + bad + bad);  // a surrogate
  CHECK(message("\xf0\x80\x80\x80") == bad + bad + bad + bad);
  CHECK(message("\xf4\x90\x80\x80") == bad + bad + bad + bad);  // beyond U+10FFFF
  CHECK(message("\xed\x9f\xbf\xf4\x8f\xbf\xbf") == "\xed\x9f\xbf\xf4\x8f\xbf\xbf");
}

TEST_CASE("a level is known by its name", "[log]") {
  for (const Level level :
       std::array{Level::Trace, Level::Debug, Level::Info, Level::Warn, Level::Error})
    CHECK(level_of(to_string(level)) == level);
  CHECK_FALSE(level_of("loud"));
  CHECK_FALSE(level_of("WARN"));
  CHECK(level_names() == "trace, debug, info, warn, error");
}

}  // namespace sluice::log
