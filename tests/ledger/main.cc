// sluice-ledger: one run per seed, a table of all, exit status 0 only if every promise was kept.
#include <csignal>
#include <cstdio>
#include <exception>

#include "options.h"
#include "report.h"
#include "run.h"

namespace {

void on_signal(int) {
  sluice::ledger_run::interrupted = 1;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace sluice::ledger_run;
  const Options options = parse_options(argc, argv);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
  print_head(options);
  std::vector<RunResult> results;
  bool all_kept = true;
  try {
    for (std::uint64_t seed = options.first_seed; seed <= options.last_seed; ++seed) {
      Run run(options, seed);
      results.push_back(run.execute());
      print_line(results.back());
      print_violations(results.back(), options);
      all_kept = all_kept && results.back().violations.total() == 0;
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "\nsluice-ledger: %s\n", error.what());
    all_kept = false;
  }
  if (results.size() > 1) print_totals(results);
  if (interrupted != 0) return 130;
  return all_kept ? 0 : 1;
}
