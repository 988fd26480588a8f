// The table. Progress goes to stderr, this to stdout.
#include "report.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace sluice::ledger_run {
namespace {

constexpr const char* kLegend =
    R"(sent: requests. ok: code 1. ordered: rejected, because the broker refused it. poison: poison messages that were
found / connections dropped because of them / rejected unsent within a minute, being of the same device and topic.
refused: broker_unavailable; "needless": of those, where 1.5 s without any fault lay between sending and deadline
(below 0.1 % of all messages). again: arrivals beyond a message's first. stale: devices that ended on a repeat
because the newer messages had reached their deadline. late: worst reply, counted from its deadline (at most 250
ms), less what the driver was late or sluice waited for a processor in that time, whichever is longer. stall: the
longest the driver was late; wait: the longest such wait. settled: the longest time from sending to reply.
)";

void clear_progress() {
  if (::isatty(STDERR_FILENO) != 0) std::fputs("\r\033[K", stderr);
}

void print_row(const char* name, const Figures& f, std::uint64_t faults, Nanoseconds stall,
               Nanoseconds wait, Nanoseconds took, std::uint64_t violations) {
  char poison[32];
  std::snprintf(poison, sizeof poison, "%ju/%ju/%ju", std::uintmax_t{f.poison_rejected},
                std::uintmax_t{f.poison_drops}, std::uintmax_t{f.behind_poison});
  std::printf(
      "%-6s %8ju %8ju %7ju %10s %7ju %8ju %8ju %7ju %5ju %6ju %7.0f %8.0f %6.0f %6.0f %5.0f  ",
      name, std::uintmax_t{f.messages}, std::uintmax_t{f.ok}, std::uintmax_t{f.refused_as_ordered},
      poison, std::uintmax_t{f.unavailable}, std::uintmax_t{f.needless}, std::uintmax_t{f.timeouts},
      std::uintmax_t{f.duplicates}, std::uintmax_t{f.stale_ends}, std::uintmax_t{faults},
      f.messages == 0 ? 0.0 : as_milliseconds(f.worst_late), as_milliseconds(f.worst_settled),
      as_milliseconds(stall), as_milliseconds(wait), as_seconds(took));
  if (violations == 0) {
    std::printf("kept\n");
  } else {
    std::printf("%ju VIOLATIONS\n", std::uintmax_t{violations});
  }
  std::fflush(stdout);
}

void add(Figures& sum, const Figures& f) {
  sum.messages += f.messages;
  sum.ok += f.ok;
  sum.refused_as_ordered += f.refused_as_ordered;
  sum.poison_rejected += f.poison_rejected;
  sum.poison_drops += f.poison_drops;
  sum.behind_poison += f.behind_poison;
  sum.unavailable += f.unavailable;
  sum.needless += f.needless;
  sum.timeouts += f.timeouts;
  sum.duplicates += f.duplicates;
  sum.stale_ends += f.stale_ends;
  sum.worst_late = std::max(sum.worst_late, f.worst_late);
  sum.worst_settled = std::max(sum.worst_settled, f.worst_settled);
}

}  // namespace

void print_head(const Options& options) {
  static constexpr const char* kQos[] = {"QoS 1 and 2", "QoS 1", "QoS 2"};
  std::printf("%u clients x %u unanswered, %s%s, %s, faults: %s\n%s\n", options.connections,
              options.window, options.is_v5 ? "MQTT 5" : "MQTT 3.1.1",
              options.has_tls ? " over TLS" : "", kQos[options.qos], options.faults_text.c_str(),
              kLegend);
  std::printf("%-6s %8s %8s %7s %10s %7s %8s %8s %7s %5s %6s %7s %8s %6s %6s %5s  verdict\n",
              "seed", "sent", "ok", "ordered", "poison", "refused", "needless", "timeout", "again",
              "stale", "faults", "late ms", "settled", "stall", "wait", "s");
  std::fflush(stdout);
}

void print_line(const RunResult& result) {
  clear_progress();
  print_row(std::to_string(result.seed).c_str(), result.figures, result.faults_made,
            result.worst_stall, result.longest_wait, result.took, result.violations.total());
}

void print_violations(const RunResult& result, const Options& options) {
  for (std::size_t i = 0; i < kBreaches; ++i) {
    const auto kind = static_cast<Breach>(i);
    const std::uint64_t count = result.violations.count(kind);
    if (count == 0) continue;
    std::printf("  %s: %ju\n", to_string(kind), std::uintmax_t{count});
    for (const std::string& line : result.violations.lines(kind))
      std::printf("    %s\n", line.c_str());
  }
  if (result.violations.total() > 0) {
    std::printf("  repeat it with: %s\n", command_for(options, result.seed).c_str());
  }
  if (!result.folder.empty()) std::printf("  kept: %s\n", result.folder.c_str());
  std::fflush(stdout);
}

void print_totals(const std::vector<RunResult>& results) {
  Figures sum;
  std::uint64_t faults = 0;
  std::uint64_t violations = 0;
  Nanoseconds stall = 0;
  Nanoseconds wait = 0;
  Nanoseconds took = 0;
  for (const RunResult& result : results) {
    add(sum, result.figures);
    faults += result.faults_made;
    violations += result.violations.total();
    stall = std::max(stall, result.worst_stall);
    wait = std::max(wait, result.longest_wait);
    took += result.took;
  }
  print_row("total", sum, faults, stall, wait, took, violations);
}

}  // namespace sluice::ledger_run
