// Reads the command line.
#include "options.h"

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace sluice::ledger_run {
namespace {

constexpr const char* kUsage =
    R"(usage: tools/ledger [OPTION...]
Sends numbered messages through sluice to a simulated broker that misbehaves, and proves from both
ends that every promise was kept.

  --seeds A..B      one run for each of these seeds (1); a seed decides which fault comes when, how
                    long, and which connections it hits, but not how the processes are scheduled
  --faults LIST     all (default), or names with commas between; `list` shows them
  --messages N      minimum for each run (50000)
  --connections N   clients (50)
  --window N        unanswered requests of each (16)
  --rate N          requests a second of all clients together, 0: as fast as answered (8000)
  --protocol P      5 (default) or 3.1.1
  --tls             the broker speaks TLS
  --qos Q           1 or 2: of every message; by default one in four is QoS 2, the others QoS 1. Kept at QoS 2
                    means: never twice on one connection, code 1 not before its PUBREL, PUBRELs in the order of
                    the PUBRECs; on a new connection it may come again
  --quick           shorter faults and pauses, 5000 messages
  --binary PATH     the sluice to run; by default a release build, rebuilt if it is old
  --debug           its log at level debug
  --keep            keep its folder (configuration, log) also where all went well

Exit status: 0 no violation, 1 some, 2 wrong usage.
)";

[[noreturn]] void refuse(const std::string& why) {
  std::fprintf(stderr, "sluice-ledger: %s\n", why.c_str());
  std::exit(2);
}

template <typename T>
T number(std::string_view name, std::string_view text, T least, T most) {
  T value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < least || value > most) {
    refuse(std::string(name) + ": expected a number from " + std::to_string(least) + " to " +
           std::to_string(most) + ", got '" + std::string(text) + "'");
  }
  return value;
}

void set_seeds(Options& options, std::string_view text) {
  constexpr std::uint64_t kMost = 1'000'000'000;
  const std::size_t dots = text.find("..");
  options.first_seed = number<std::uint64_t>("--seeds", text.substr(0, dots), 0, kMost);
  options.last_seed =
      dots == std::string_view::npos
          ? options.first_seed
          : number<std::uint64_t>("--seeds", text.substr(dots + 2), options.first_seed, kMost);
}

[[noreturn]] void list_faults() {
  for (const FaultInfo& info : all_faults())
    std::printf("  %-18s %s%s\n", info.name, info.what, info.needs_v5 ? " (MQTT 5)" : "");
  std::exit(0);
}

void set_faults(Options& options) {
  std::string_view rest = options.faults_text;
  if (rest == "list") list_faults();
  if (rest == "all") {
    for (const FaultInfo& info : all_faults())
      if (options.is_v5 || !info.needs_v5) options.faults.push_back(info.fault);
    return;
  }
  while (!rest.empty()) {
    const std::string_view name = rest.substr(0, rest.find(','));
    rest.remove_prefix(name.size() == rest.size() ? name.size() : name.size() + 1);
    const auto fault = fault_by_name(name);
    if (!fault) refuse("no such fault: '" + std::string(name) + "'; --faults list shows them");
    if (!options.is_v5 && all_faults()[static_cast<std::size_t>(*fault)].needs_v5) {
      refuse(std::string(name) + " needs --protocol 5");
    }
    options.faults.push_back(*fault);
  }
}

}  // namespace

Options parse_options(int argc, char** argv) {
  Options o;
  bool messages_given = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    const auto value = [&]() -> std::string_view {
      if (i + 1 >= argc) refuse(std::string(name) + " needs a value");
      return argv[++i];
    };
    if (name == "-h" || name == "--help") {
      std::fputs(kUsage, stdout);
      std::exit(0);
    } else if (name == "--seeds") {
      set_seeds(o, value());
    } else if (name == "--faults") {
      o.faults_text = value();
    } else if (name == "--messages") {
      o.messages = number<std::uint64_t>(name, value(), 1, 1'000'000'000);
      messages_given = true;
    } else if (name == "--connections") {
      o.connections = number<unsigned>(name, value(), 1, 400);
    } else if (name == "--window") {
      o.window = number<unsigned>(name, value(), 1, 1000);
    } else if (name == "--rate") {
      o.rate = number<unsigned>(name, value(), 0, 1'000'000);
    } else if (name == "--protocol") {
      const std::string_view version = value();
      if (version != "5" && version != "3.1.1") refuse("--protocol: 5 or 3.1.1");
      o.is_v5 = version == "5";
    } else if (name == "--tls") {
      o.has_tls = true;
    } else if (name == "--qos") {
      o.qos = number<int>(name, value(), 1, 2);
    } else if (name == "--binary") {
      o.binary = value();
    } else if (name == "--quick") {
      o.quick = true;
    } else if (name == "--debug") {
      o.debug = true;
    } else if (name == "--keep") {
      o.keep = true;
    } else {
      refuse("unknown option '" + std::string(name) + "'; --help lists them");
    }
  }
  set_faults(o);
  if (o.binary.empty()) refuse("--binary is needed");
  if (o.quick && !messages_given) o.messages = 5'000;
  return o;
}

std::string command_for(const Options& o, std::uint64_t seed) {
  std::string command =
      "tools/ledger --seeds " + std::to_string(seed) + " --faults " + o.faults_text;
  const Options usual;
  if (o.messages != (o.quick ? 5'000 : usual.messages)) {
    command += " --messages " + std::to_string(o.messages);
  }
  if (o.connections != usual.connections) {
    command += " --connections " + std::to_string(o.connections);
  }
  if (o.window != usual.window) command += " --window " + std::to_string(o.window);
  if (o.rate != usual.rate) command += " --rate " + std::to_string(o.rate);
  if (!o.is_v5) command += " --protocol 3.1.1";
  if (o.has_tls) command += " --tls";
  if (o.qos != 0) command += " --qos " + std::to_string(o.qos);
  if (o.quick) command += " --quick";
  return command;
}

}  // namespace sluice::ledger_run
