// CLI11 reads the options and writes the help texts; this file words what is refused.
#include "cli/command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <string_view>

#include "base/ascii.h"
#include "config/nearest.h"
#include "config/text.h"

namespace sluice::cli {
namespace {

constexpr std::int64_t kLongestTimeout = 86'400'000;  // of `[limits] max_timeout_ms`

constexpr const char* kDescription =
    "sluice publishes to MQTT for short-lived programs: JSON over TCP in, a fixed\n"
    "pool of MQTT connections out, an honest reply to each request.";
constexpr const char* kFooter = R"(Each command has its own help: sluice help send

Examples:
  sluice serve -c /etc/sluice/sluice.toml
  sluice send --device 1001 --topic dev/1001/cmd open

Exit status:
  0  done
  1  failed while running
  2  wrong usage or configuration)";
constexpr const char* kServeFooter =
    R"(SIGHUP reloads the configuration, SIGUSR1 reopens the log file.

Example:
  sluice serve -c sluice.toml --log-level debug

Exit status:
  0  stopped by a signal, every request answered
  1  failed while running; an address in use, for example
  2  wrong usage or configuration)";
constexpr const char* kCheckFooter =
    R"(Run it as the user that serves: the files that the configuration names are
looked at, too. A fault or warning is FILE:LINE:COLUMN: what is wrong, and what
is allowed.

Example:
  sudo -u sluice sluice check -c sluice.toml

Exit status:
  0  no faults; warnings do not count
  2  faults, or wrong usage)";
constexpr const char* kSendFooter =
    R"(With - for MESSAGE each line of standard input is a message, many of them in
flight. A MESSAGE that begins with - stands behind --.

Examples:
  sluice send --device 1001 --topic dev/1001/cmd open
  sluice send --device 1001 --topic dev/1001/cmd --timeout-ms 2000 - < commands

Exit status:
  0  published
  1  not published, or the outcome is unknown
  2  wrong usage)";

using Names = std::vector<std::string>;

std::int64_t read_number(const std::string& option, const std::string& text, std::int64_t min,
                         std::int64_t max) {
  const auto number = to_integer<std::int64_t>(text);
  if (!number || *number < min || *number > max) {
    throw CLI::ValidationError(
        option, fmt::format("expected {} to {}, found {}", min, max, config::quoted(text)));
  }
  return *number;
}

/// The parser of one command line, and what it fills.
class Parser {
 public:
  Parser() : app_(kDescription, "sluice") {
    app_.set_help_flag("-h,--help", "print this help; each command has its own");
    app_.set_version_flag("-V,--version", "sluice " SLUICE_VERSION)
        ->description("print the version");
    app_.allow_extras();
    app_.require_subcommand(0, 1);  // a second command's name is an argument, as in help send
    app_.footer(kFooter);
    app_.get_formatter()->column_width(22);
    add_serve();
    add_check();
    add_send();
    CLI::App* help = add_command("help", "explain a command", "Example:\n  sluice help send");
    help->add_option("COMMAND", help_topic_, "one of the commands")->type_name("");
    add_command("version", "print the version", "Example:\n  sluice version");
  }

  CommandLine parse(const Names& arguments) {
    if (arguments.empty()) return printed(app_.help(), kMisused);
    if (!arguments.front().starts_with('-') && !is_command(arguments.front()))
      return unknown_command(arguments.front());
    try {
      app_.parse(Names(arguments.rbegin(), arguments.rend()));
    } catch (const CLI::CallForHelp&) {
      return printed(app_.help());
    } catch (const CLI::CallForVersion&) {
      return version();
    } catch (const CLI::ArgumentMismatch& error) {
      return misused(mismatch(error.what()));
    } catch (const CLI::ParseError& error) {
      return misused(error.what());
    }
    if (const std::string& first = arguments.front(); first.starts_with('-')) {
      return misused(fmt::format("unknown option {}; the command comes first",
                                 config::quoted(first.substr(0, first.find('=')))));
    }
    return result();
  }

 private:
  CLI::App* add_command(const char* name, const char* description, const char* footer) {
    CLI::App* command = app_.add_subcommand(name, description);
    command->set_help_flag("-h,--help", "print this help");
    command->allow_extras();  // refused by unexpected(), which names the nearest option
    command->footer(footer);
    return command;
  }

  void add_config(CLI::App& command) {
    const auto not_empty = [](const std::string& name) {
      return name.empty() ? std::string("empty file name") : std::string();
    };
    command
        .add_option("-c,--config", options_.file,
                    "the configuration (default: " + options_.file + ")")
        ->check(CLI::Validator(not_empty, ""))
        ->type_name("FILE");
  }

  void add_serve() {
    CLI::App* serve =
        add_command("serve", "run in the foreground until SIGTERM or SIGINT", kServeFooter);
    add_config(*serve);
    const auto take_level = [this](const std::string& name) {
      options_.log_level = log::level_of(name);
      if (options_.log_level) return;
      throw CLI::ValidationError(
          "--log-level",
          fmt::format("expected one of {}, found {}", log::level_names(), config::quoted(name)));
    };
    serve
        ->add_option_function<std::string>(
            "--log-level", take_level, log::level_names() + "; overrides [log] level of the file")
        ->type_name("LEVEL");
  }

  void add_check() {
    add_config(*add_command("check", "validate a configuration and list its faults", kCheckFooter));
  }

  void add_send() {
    CLI::App* send =
        add_command("send", "publish through a running sluice and print the reply", kSendFooter);
    const auto text = [send](const char* name, const char* value, auto& target, const char* what) {
      const auto take = [&target](const std::string& given) { target = given; };
      send->add_option_function<std::string>(name, take, what)->type_name(value);
    };
    const auto flag = [send](const char* name, bool& target, const char* what) {
      send->add_flag(name, target, what)->disable_flag_override();
    };
    text("--address", "ADDRESS", send_.address,
         "HOST, HOST:PORT, tcp://HOST:PORT or unix:///PATH (default: 127.0.0.1:9501)");
    text("--device", "N", device_, "the device number; it selects the broker (required)");
    text("--topic", "TOPIC", send_.topic, "the MQTT topic (required)");
    send->add_option_function<std::string>(
            "--qos",
            [this](const std::string& given) {
              send_.qos = static_cast<int>(read_number("--qos", given, 0, 2));
            },
            "0, 1 or 2 (default: the server's)")
        ->type_name("LEVEL");
    flag("--retain", send_.retain, "publish as a retained message");
    flag("--json", send_.json, "MESSAGE is a JSON value");
    flag("--base64", send_.base64, "MESSAGE is base64");
    text("--id", "ID", send_.id, "echoed in the reply; not with - for MESSAGE");
    text("--token", "TOKEN", send_.token, "for servers that require authentication");
    send->add_option_function<std::string>(
            "--timeout-ms",
            [this](const std::string& given) {
              send_.timeout_ms = read_number("--timeout-ms", given, 1, kLongestTimeout);
            },
            "deadline of a message (default: the server's); without a reply the command ends a "
            "second later")
        ->type_name("MS");
    send->add_option("MESSAGE", message_, "the payload, or - (required)")->type_name("");
  }

  CommandLine result() {
    CLI::App& command = *app_.get_subcommands().front();
    const std::string& name = command.get_name();
    if (const std::string what = unexpected(command); !what.empty()) return misused(what);
    if (name == "version") return version();
    if (name == "help") return help();
    if (name == "send") return send();
    CommandLine line;
    line.command = name == "serve" ? CommandLine::Command::Serve : CommandLine::Command::Check;
    line.serve = options_;
    return line;
  }

  CommandLine send() {
    if (!device_) return misused("--device N is missing: the device number");
    if (send_.topic.empty()) return misused("--topic TOPIC is missing: the MQTT topic");
    if (!message_) return misused("MESSAGE is missing; - reads lines of standard input");
    CommandLine line;
    line.command = CommandLine::Command::Send;
    line.send = send_;
    line.send.device = *device_;
    line.send.message = *message_;
    return line;
  }

  CommandLine help() {
    if (help_topic_.empty()) return printed(Parser().app_.help());  // this one has a command
    if (!is_command(help_topic_)) return unknown_command(help_topic_);
    return printed(app_.get_subcommand(help_topic_)->help("sluice"));
  }

  static CommandLine version() { return printed("sluice " SLUICE_VERSION "\n"); }

  static CommandLine printed(std::string text, int status = kDone) {
    CommandLine line;
    line.text = std::move(text);
    if (!line.text.ends_with('\n')) line.text += '\n';
    line.status = status;
    return line;
  }

  CommandLine misused(std::string_view what) const {
    const auto chosen = app_.get_subcommands();
    const std::string command = chosen.empty() ? "" : " " + chosen.front()->get_name();
    return printed(fmt::format("sluice{0}: {1}\nTry: sluice help{0}", command, what), kMisused);
  }

  CommandLine unknown_command(const std::string& name) const {
    return misused(
        fmt::format("unknown command {}; {}", config::quoted(name), suggestion(name, commands())));
  }

  /// About the first word that the command does not know; empty: there is none.
  std::string unexpected(const CLI::App& command) const {
    const Names words = app_.remaining(/*recurse=*/true);  // behind -- they are the program's
    const auto first = std::find_if(words.begin(), words.end(),
                                    [](const std::string& word) { return word != "--"; });
    if (first == words.end()) return {};
    const std::string& word = *first;
    if (!word.starts_with('-')) {
      return fmt::format(
          "unexpected argument {}{}", config::quoted(word),
          command.get_name() == "send" ? "; a MESSAGE of several words is quoted" : "");
    }
    const bool may_be_message = command.get_name() == "send" && !word.starts_with("--");
    const std::string name = word.substr(0, word.find('='));
    return fmt::format("unknown option {}; {}{}", config::quoted(name),
                       suggestion(name, options_of(command)),
                       may_be_message ? "; a MESSAGE that begins with - stands behind --" : "");
  }

  static Names options_of(const CLI::App& command) {
    Names names;
    for (const CLI::Option* option : command.get_options()) {
      if (!option->get_lnames().empty()) names.push_back("--" + option->get_lnames().front());
    }
    return names;
  }

  /// CLI11's fault about the number of an option's values.
  static std::string mismatch(std::string_view fault) {
    const std::string name(fault.substr(0, fault.find_first_of(": ")));
    if (fault.find(" flag override") != std::string_view::npos)
      return fmt::format("--{} takes no value", name);
    if (fault.find(" but received ") != std::string_view::npos)
      return fmt::format("{} is given more than once", name);
    return fmt::format("{}: the value is missing", name);
  }

  /// The known names that begin with a single letter, -t for example.
  static Names with_letter(char letter, const Names& known) {
    Names found;
    for (const std::string& other : known) {
      if (other[2] == letter) found.push_back(other);
    }
    return found;
  }

  static std::string suggestion(std::string_view name, const Names& known) {
    const bool is_letter = name.size() == 2 && name.front() == '-';
    const Names near = is_letter ? with_letter(name[1], known) : config::nearest(name, known);
    return near.empty() ? fmt::format("allowed are {}", fmt::join(known, ", "))
                        : fmt::format("did you mean {}?", fmt::join(near, " or "));
  }

  Names commands() const {
    Names names;
    for (const CLI::App* command : app_.get_subcommands([](const CLI::App*) { return true; }))
      names.push_back(command->get_name());
    return names;
  }
  bool is_command(const std::string& name) const {
    const Names names = commands();
    return std::find(names.begin(), names.end(), name) != names.end();
  }

  CLI::App app_;
  ServeOptions options_;
  SendOptions send_;
  std::optional<std::string> device_;
  std::optional<std::string> message_;
  std::string help_topic_;
};

}  // namespace

CommandLine parse_command_line(const std::vector<std::string>& arguments) {
  return Parser().parse(arguments);
}

}  // namespace sluice::cli
