// The command line: what each option means, and what wrong usage is answered.
#include "cli/command_line.h"

#include <string>
#include <vector>

#include "catch.h"

namespace sluice::cli {
namespace {

using Command = CommandLine::Command;

CommandLine parse(const std::vector<std::string>& arguments) {
  return parse_command_line(arguments);
}

CommandLine send(std::vector<std::string> more) {
  more.insert(more.begin(), {"send", "--device", "7", "--topic", "t"});
  return parse(more);
}

/// The fault of a wrong usage, without the line that says where help is.
std::string fault(const std::vector<std::string>& arguments) {
  const CommandLine line = parse(arguments);
  CHECK(line.command == Command::Print);
  CHECK(line.status == kMisused);
  CHECK(line.text.find("\nTry: sluice help") != std::string::npos);
  return line.text.substr(0, line.text.find('\n'));
}

}  // namespace

TEST_CASE("serve and check take a file, serve a level, and both have defaults", "[usage]") {
  const CommandLine plain = parse({"serve"});
  CHECK(plain.command == Command::Serve);
  CHECK(plain.serve.file == "/etc/sluice/sluice.toml");
  CHECK_FALSE(plain.serve.log_level);
  for (const auto& file : std::vector<std::vector<std::string>>{
           {"-c", "f"}, {"-cf"}, {"--config", "f"}, {"--config=f"}}) {
    for (const char* command : {"serve", "check"}) {
      std::vector<std::string> arguments = {command};
      arguments.insert(arguments.end(), file.begin(), file.end());
      CHECK(parse(arguments).serve.file == "f");
    }
  }
  CHECK(parse({"check"}).command == Command::Check);
  CHECK(parse({"serve", "--log-level", "warn"}).serve.log_level == log::Level::Warn);
  CHECK(fault({"serve", "--log-level", "loud"}) ==
        "sluice serve: --log-level: expected one of trace, debug, info, warn, error, found "
        "\"loud\"");
  CHECK(fault({"check", "-c", ""}) == "sluice check: --config: empty file name");
  CHECK(fault({"check", "-c"}) == "sluice check: --config: the value is missing");
  CHECK(fault({"check", "-c", "a", "-c", "b"}) == "sluice check: --config is given more than once");
}

TEST_CASE("every option of send reaches its field", "[usage]") {
  const CommandLine line = send({"--address", "h", "--qos", "2", "--retain", "--json", "--base64",
                                 "--id", "i", "--token", "s", "--timeout-ms", "250", "hello"});
  REQUIRE(line.command == Command::Send);
  CHECK(line.send.address == "h");
  CHECK(std::get<std::string>(line.send.device) == "7");
  CHECK(line.send.topic == "t");
  CHECK(line.send.qos == 2);
  CHECK(line.send.retain);
  CHECK(line.send.json);
  CHECK(line.send.base64);
  CHECK(std::get<std::string>(*line.send.id) == "i");
  CHECK(line.send.token == "s");
  CHECK(line.send.timeout_ms == 250);
  CHECK(line.send.message == "hello");
}

TEST_CASE("a value may begin with a dash, and so may a message behind two", "[usage]") {
  CHECK(std::get<std::string>(parse({"send", "--device", "-5", "--topic", "t", "x"}).send.device) ==
        "-5");
  CHECK(send({"--token", "-s", "--id", "", "-"}).send.token == "-s");
  CHECK(send({"-"}).send.message == "-");
  CHECK(send({"--", "-1"}).send.message == "-1");
  CHECK(send({"first", "--retain"}).send.message == "first");
  CHECK(send({"-x"}).text.find("unknown option \"-x\"") != std::string::npos);
}

TEST_CASE("numbers are taken at their bounds and refused beyond them", "[usage]") {
  CHECK(send({"--qos", "0", "--timeout-ms", "1", "x"}).send.timeout_ms == 1);
  CHECK(send({"--timeout-ms", "86400000", "x"}).send.timeout_ms == 86400000);
  for (const char* wrong : {"0", "-1", "86400001", "1.5", "", "1s"}) {
    CAPTURE(wrong);
    CHECK(send({"--timeout-ms", wrong, "x"})
              .text.find("--timeout-ms: expected 1 to 86400000, found \"") != std::string::npos);
  }
  CHECK(send({"--qos", "3", "x"}).text.find("--qos: expected 0 to 2, found \"3\"") !=
        std::string::npos);
}

TEST_CASE("what is missing or too much is named", "[usage]") {
  CHECK(fault({"send", "--topic", "t", "x"}) ==
        "sluice send: --device N is missing: the device number");
  CHECK(fault({"send", "--device", "1", "x"}) ==
        "sluice send: --topic TOPIC is missing: the MQTT topic");
  CHECK(fault({"send", "--device", "1", "--topic", "t"}) ==
        "sluice send: MESSAGE is missing; - reads lines of standard input");
  CHECK(fault({"send", "--device", "1", "--topic", "t", "hello", "world"}) ==
        "sluice send: unexpected argument \"world\"; a MESSAGE of several words is quoted");
  CHECK(fault({"serve", "file"}) == "sluice serve: unexpected argument \"file\"");
  CHECK(fault({"send", "--retain=yes"}) == "sluice send: --retain takes no value");
  CHECK(fault({"check", "-c", "f", "--", "x"}) == "sluice check: unexpected argument \"x\"");
}

TEST_CASE("a wrong command or option is answered with the nearest one", "[usage]") {
  CHECK(fault({"serv"}) == "sluice: unknown command \"serv\"; did you mean serve?");
  CHECK(fault({"start"}) ==
        "sluice: unknown command \"start\"; allowed are serve, check, send, help, version");
  CHECK(fault({"help", "chekc"}) == "sluice help: unknown command \"chekc\"; did you mean check?");
  CHECK(fault({"\x1b[31m"}).find("\"\\x1b[31m\"") != std::string::npos);
  CHECK(fault({"-c", "f"}) == "sluice: unknown option \"-c\"; the command comes first");
  CHECK(fault({"send", "--tpic", "t"}) ==
        "sluice send: unknown option \"--tpic\"; did you mean --topic?");
  CHECK(fault({"send", "--timeout-ms", "1", "--frobnicate=5"}) ==
        "sluice send: unknown option \"--frobnicate\"; allowed are --help, --address, "
        "--device, --topic, --qos, --retain, --json, --base64, --id, --token, --timeout-ms");
  CHECK(fault({"serve", "-x"}).find("sluice serve: unknown option \"-x\"") == 0);
  CHECK(fault({"serve", "--", "-x"}).find("sluice serve: unknown option \"-x\"") == 0);
}

TEST_CASE("an option before the command is refused, not ignored", "[usage]") {
  for (const auto& [option, shown] : std::vector<std::pair<std::string, std::string>>{
           {"-c", "-c"}, {"--config=f", "--config"}, {"--log-level", "--log-level"}}) {
    CAPTURE(option);
    CHECK(fault({option, "f", "serve"}) ==
          "sluice serve: unknown option \"" + shown + "\"; the command comes first");
  }
  CHECK(fault({"--", "serve"}) == "sluice: unknown option \"--\"; the command comes first");
}

TEST_CASE("a letter is answered with the options that begin with it", "[usage]") {
  const std::string behind = "; a MESSAGE that begins with - stands behind --";
  CHECK(fault({"send", "-t", "topic"}) ==
        "sluice send: unknown option \"-t\"; did you mean --topic or --token or --timeout-ms?" +
            behind);
  const std::string unlike = fault({"send", "-m", "x"});
  CHECK(unlike.find("\"-m\"; allowed are --help, ") != std::string::npos);
  CHECK(unlike.ends_with(behind));
}

TEST_CASE("help is there in every way it is asked for", "[usage]") {
  const std::string program = parse({"help"}).text;
  for (const char* way : {"--help", "-h"}) {
    CHECK(parse({way}).text == program);
    CHECK(parse({way}).status == kDone);
  }
  CHECK(parse({}).text == program);
  CHECK(parse({}).status == kMisused);
  for (const std::string command : {"serve", "check", "send", "help", "version"}) {
    CAPTURE(command);
    const std::string text = parse({"help", command}).text;
    CHECK(parse({command, "--help"}).text == text);
    CHECK(parse({command, "--help"}).status == kDone);
    CHECK(program.find("\n  " + command + " ") != std::string::npos);
    CHECK(text.find("Usage: sluice " + command) != std::string::npos);
    CHECK(text.find("\nExample") != std::string::npos);
  }
  for (const std::string& text : {program, parse({"help", "serve"}).text,
                                  parse({"help", "check"}).text, parse({"help", "send"}).text})
    CHECK(text.find("\nExit status:\n  0  ") != std::string::npos);
  CHECK(parse({"version"}).text == "sluice " SLUICE_VERSION "\n");
  CHECK(parse({"--version"}).text == parse({"version"}).text);
}

TEST_CASE("the values of options have names in the help", "[usage]") {
  for (const char* option : {"--address ADDRESS", "--device N", "--topic TOPIC", "--qos LEVEL",
                             "--id ID", "--token TOKEN", "--timeout-ms MS"}) {
    CAPTURE(option);
    CHECK(parse({"help", "send"}).text.find(option) != std::string::npos);
  }
  CHECK(parse({"help", "serve"}).text.find("-c,--config FILE") != std::string::npos);
  CHECK(parse({"help", "serve"}).text.find("--log-level LEVEL") != std::string::npos);
  CHECK(parse({"help", "check"}).text.find("-c,--config FILE") != std::string::npos);
}

}  // namespace sluice::cli
