// sluice-store-faults: the durable queue's store under power cuts, I/O errors and a full disk.
//   sluice-store-faults [--seeds FROM..TO] [--only WORD] [--long]
// First every mutant has to be found, so that it is known that the sweeps see such mistakes; then
// the store itself has to pass. --only: sweeps with this in their name. --long: more steps and more
// losses, for minutes.
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "queue/mutants.h"
#include "sweeps.h"

namespace sluice::queue {
namespace {

struct Options {
  std::uint64_t first = 1;
  std::uint64_t last = 1;
  std::string_view only = "";
  bool is_long = false;
};

constexpr Extent kShort{.steps = 40, .random_losses = 1, .deeper_each = 40};
constexpr Extent kLong{.steps = 150, .random_losses = 6, .deeper_each = 10};
constexpr int kShortFailures = 14;
constexpr int kLongFailures = 40;
constexpr std::uint64_t kFullDisks = 8;

using Sweep = std::function<std::string(std::uint64_t seed)>;

/// Says what a sweep came to, and how long it took.
bool report(std::string_view name, const std::string& wrong, bool must_be_found,
            std::chrono::steady_clock::time_point start) {
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
  const bool is_well = wrong.empty() != must_be_found;
  fmt::print("{:<4} {:<36} {:5.1f} s  {}\n", is_well ? "ok" : "FAIL", name, taken.count(), wrong);
  std::fflush(stdout);
  return is_well;
}

bool run(std::string_view name, const Options& options, const Sweep& sweep,
         Mutant mutant = Mutant::None) {
  if (name.find(options.only) == std::string_view::npos) return true;
  const auto start = std::chrono::steady_clock::now();
  active_mutant = mutant;
  std::string wrong;
  for (std::uint64_t seed = options.first; seed <= options.last && wrong.empty(); ++seed)
    wrong = sweep(seed);
  active_mutant = Mutant::None;
  return report(name, wrong, mutant != Mutant::None, start);
}

bool run_all(const Options& options) {
  const Extent& extent = options.is_long ? kLong : kShort;
  const int steps = options.is_long ? kLongFailures : kShortFailures;
  std::uint64_t cuts = 0;
  std::uint64_t runs = 0;
  const Sweep power = [&](std::uint64_t seed) { return sweep_power_cuts(seed, extent, cuts); };
  const Sweep syncs = [&](std::uint64_t seed) { return sweep_failed_syncs(seed, steps, runs); };
  const Sweep failures = [&](std::uint64_t seed) { return sweep_failures(seed, steps, runs); };
  const Sweep full = [](std::uint64_t seed) {
    std::string wrong;
    for (std::uint64_t i = 0; i < kFullDisks && wrong.empty(); ++i)
      wrong = fill_disk(seed * kFullDisks + i);
    return wrong;
  };
  bool is_well = run("mutant: synchronous=NORMAL", options, power, Mutant::SynchronousNormal);
  is_well &= run("mutant: reported before COMMIT", options, power, Mutant::ReportBeforeCommit);
  is_well &= run("mutant: retry after a failed sync", options, syncs, Mutant::RetryFailedSync);
  is_well &= run("mutant: no reserve", options, full, Mutant::NoReserve);
  cuts = runs = 0;
  is_well &= run("failing calls", options, failures);
  is_well &= run("power cuts", options, power);
  is_well &= run("full disk", options, full);
  fmt::print("{} power cuts, {} runs with a failing call\n", cuts, runs);
  return is_well;
}

bool parse(const std::vector<std::string_view>& words, Options& options) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "--long") {
      options.is_long = true;
    } else if (words[i] == "--only" && i + 1 < words.size()) {
      options.only = words[++i];
    } else if (words[i] == "--seeds" && i + 1 < words.size()) {
      const std::string range(words[++i]);
      char* end = nullptr;
      options.first = options.last = std::strtoull(range.c_str(), &end, 10);
      if (std::string_view(end).starts_with("..")) options.last = std::strtoull(end + 2, &end, 10);
      if (*end != '\0' || options.first == 0 || options.last < options.first) return false;
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace
}  // namespace sluice::queue

int main(int argc, char** argv) {
  sluice::queue::Options options;
  if (!sluice::queue::parse({argv + 1, argv + argc}, options)) {
    std::fputs("usage: sluice-store-faults [--seeds FROM..TO] [--only WORD] [--long]\n", stderr);
    return 2;
  }
  return sluice::queue::run_all(options) ? 0 : 1;
}
