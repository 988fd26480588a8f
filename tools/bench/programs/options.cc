// Reads the command line of the benchmark programs: one table of flags, numbers checked strictly.
#include "options.h"

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string_view>

namespace sluice::bench {
namespace {

struct Flag {
  const char* name;
  const char* value;  ///< what to call its value in the usage; nullptr: it takes none
  const char* help;
  std::function<bool(std::string_view)> set;  ///< false: not a valid value
};

template <class T>
auto number(T& target, T least, T most) {
  return [&target, least, most](std::string_view text) {
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return false;
    if (!(value >= least && value <= most)) return false;
    target = value;
    return true;
  };
}

auto turn_on(bool& target) {
  return [&target](std::string_view) { return target = true; };
}

bool set_address(Options& options, std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return false;
  options.host = text.substr(0, colon);
  return number<std::uint16_t>(options.port, 1, 65535)(text.substr(colon + 1));
}

bool add_watched(Options& options, std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == 0 || equals == std::string_view::npos) return false;
  pid_t pid = 0;
  if (!number<pid_t>(pid, 1, 1 << 30)(text.substr(equals + 1))) return false;
  options.watched.emplace_back(text.substr(0, equals), pid);
  return true;
}

std::vector<Flag> flags_of(Options& o) {
  return {
      {"--to", "HOST:PORT", "numeric address (127.0.0.1:9501)",
       [&o](std::string_view text) { return set_address(o, text); }},
      {"--connections", "N", "TCP connections (20)", number<unsigned>(o.connections, 1, 60000)},
      {"--window", "W", "unanswered messages of each (1)", number<unsigned>(o.window, 1, 60000)},
      {"--qos", "0|1|2", "(1)", number<int>(o.qos, 0, 2)},
      {"--payload", "BYTES", "size of the message (100)",
       number<unsigned>(o.payload_bytes, 0, 16'000'000)},
      {"--devices", "N", "devices the load is spread over (1000)",
       number<unsigned>(o.devices, 1, 1000000)},
      {"--first-device", "N", "number of the first one (1)",
       number<unsigned>(o.first_device, 0, 2000000000)},
      {"--ids", nullptr, "give each request an id", turn_on(o.ids)},
      {"--batched", nullptr, "sluice-bench-direct: large reads and writes, as sluice has them",
       turn_on(o.batched)},
      {"--seconds", "S", "length of the measurement (3)", number<double>(o.seconds, 0.05, 86400)},
      {"--warm-up", "S", "the same load before it, not counted (1)",
       number<double>(o.warm_up_seconds, 0, 3600)},
      {"--messages", "M", "this many messages instead, without warm-up",
       number<std::uint64_t>(o.messages, 1, 1000000000000)},
      {"--rate", "R", "open loop: R messages a second in all, late or not",
       number<double>(o.rate, 0.01, 1e8)},
      {"--grace", "S", "seconds to wait for replies still due at the end (15)",
       number<double>(o.grace_seconds, 0, 3600)},
      {"--watch", "NAME=PID", "also report this process's CPU time; may be repeated",
       [&o](std::string_view text) { return add_watched(o, text); }},
      {"--json", nullptr, "print one JSON object instead of a line", turn_on(o.json)},
  };
}

void print_usage(std::FILE* to, const char* program, const char* what, const auto& flags) {
  std::fprintf(to, "usage: %s [OPTION...]\n%s\n\n", program, what);
  for (const Flag& flag : flags) {
    const std::string left = std::string(flag.name) + ' ' + (flag.value ? flag.value : "");
    std::fprintf(to, "  %-22s %s\n", left.c_str(), flag.help);
  }
}

}  // namespace

Options parse_options(int argc, char** argv, const char* what_it_does) {
  Options options;
  const std::vector<Flag> flags = flags_of(options);
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "-h" || name == "--help") {
      print_usage(stdout, argv[0], what_it_does, flags);
      std::exit(0);
    }
    const Flag* found = nullptr;
    for (const Flag& flag : flags) {
      if (name == flag.name) found = &flag;
    }
    const bool lacks_value = found != nullptr && found->value != nullptr && i + 1 >= argc;
    if (found == nullptr || lacks_value) {
      print_usage(stderr, argv[0], what_it_does, flags);
      std::exit(2);
    }
    const char* value = found->value != nullptr ? argv[++i] : "";
    if (!found->set(value)) {
      std::fprintf(stderr, "%s: %s: bad value '%s'\n", argv[0], found->name, value);
      std::exit(2);
    }
  }
  if (options.messages != 0) options.warm_up_seconds = 0;
  return options;
}

std::string make_payload(const Options& options) {
  std::string payload(options.payload_bytes, 'x');
  for (std::size_t i = 0; i < payload.size(); ++i)
    payload[i] = static_cast<char>('a' + i % 26);
  return payload;
}

std::string topic_of(unsigned device) {
  return "dev/" + std::to_string(device) + "/cmd";
}

void fail(const std::string& why) {
  std::fprintf(stderr, "sluice-bench: %s\n", why.c_str());
  std::exit(1);
}

}  // namespace sluice::bench
