// Parses the command line and calls the command.
#include <malloc.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <exception>
#include <string>

#include "base/log.h"
#include "cli/send.h"
#include "cli/serve.h"
#include "cli/standard_streams.h"

namespace {

using sluice::cli::SendOptions;
using sluice::cli::ServeOptions;

void add_config_option(CLI::App& command, std::string& file) {
  const auto not_empty = [](const std::string& name) {
    return name.empty() ? std::string("empty file name") : std::string();
  };
  command.add_option("-c,--config", file, "the configuration file")
      ->capture_default_str()
      ->check(CLI::Validator(not_empty, "FILE"));
}

void add_log_level_option(CLI::App& command, ServeOptions& options) {
  const auto take = [&options](const std::string& name) {
    options.log_level = sluice::log::level_of(name);
    if (options.log_level) return;
    throw CLI::ValidationError(
        "--log-level", "expected one of " + sluice::log::level_names() + ", found \"" + name + '"');
  };
  command.add_option_function<std::string>("--log-level", take,
                                           "overrides [log] level of the configuration");
}

void add_send_options(CLI::App& command, SendOptions& options) {
  command.add_option("--address", options.address, "HOST:PORT, tcp://HOST:PORT or unix:///PATH")
      ->capture_default_str();
  command.add_option("--device", options.device, "the device number; it selects the broker")
      ->required();
  command.add_option("--topic", options.topic, "the MQTT topic")->required();
  command.add_option("--qos", options.qos, "0, 1 or 2; default: the server's")
      ->check(CLI::Range(0, 2));
  command.add_flag("--retain", options.retain, "publish as a retained message");
  command.add_flag("--json", options.json, "MESSAGE is a JSON value");
  command.add_flag("--base64", options.base64, "MESSAGE is base64");
  command.add_option("--id", options.id, "echoed in the reply");
  command.add_option("--token", options.token, "for servers that require authentication");
  command.add_option("--timeout-ms", options.timeout_ms, "the deadline; default: the server's");
  command
      .add_option("MESSAGE", options.message,
                  "the payload; - reads one message per line of standard input")
      ->required();
}

int run(int argc, char** argv) {
  CLI::App app(
      "sluice publishes to MQTT for short-lived programs: JSON over TCP in, a fixed pool of\n"
      "MQTT connections out, an honest reply to each request.");
  app.name("sluice");
  app.set_version_flag("--version", "sluice " SLUICE_VERSION);
  app.require_subcommand(1);

  std::string file = "/etc/sluice/sluice.toml";
  ServeOptions serve_options;
  CLI::App* serve = app.add_subcommand("serve", "run in the foreground until SIGTERM or SIGINT");
  add_config_option(*serve, file);
  add_log_level_option(*serve, serve_options);
  CLI::App* check =
      app.add_subcommand("check", "validate a configuration: exit 0, or 2 and one line per fault");
  add_config_option(*check, file);
  SendOptions options;
  CLI::App* send =
      app.add_subcommand("send", "publish through a running sluice and print the reply");
  add_send_options(*send, options);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // --help and --version end here too, with 0.
    return app.exit(error) == 0 ? sluice::cli::kDone : sluice::cli::kMisused;
  }
  if (serve->parsed()) {
    serve_options.file = file;
    return sluice::cli::run_serve(serve_options);
  }
  if (check->parsed()) return sluice::cli::run_check(file);
  return sluice::cli::run_send(options);
}

}  // namespace

int main(int argc, char** argv) {
  if (!sluice::cli::open_standard_streams()) return sluice::cli::kFailed;
#ifdef __GLIBC__
  // Keep the heap between bursts instead of paging it in again. Large blocks are mapped: in the
  // heap a request that grows leaves holes behind it, which added half of input_bytes and more.
  ::mallopt(M_TRIM_THRESHOLD, 8 << 20);
  ::mallopt(M_MMAP_THRESHOLD, 128 << 10);
#endif
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    // Memory or descriptors ran out, or a bug: nothing else is expected to throw.
    std::fprintf(stderr, "sluice: %s\n", error.what());
    return sluice::cli::kFailed;
  }
}
