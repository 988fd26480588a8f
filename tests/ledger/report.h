// The output: a line per seed, the totals, the legend, and the violations.
#pragma once

#include <vector>

#include "options.h"
#include "run.h"

namespace sluice::ledger_run {

void print_head(const Options& options);
void print_line(const RunResult& result);
/// The violations of one seed and the command that repeats it.
void print_violations(const RunResult& result, const Options& options);
void print_totals(const std::vector<RunResult>& results);

}  // namespace sluice::ledger_run
