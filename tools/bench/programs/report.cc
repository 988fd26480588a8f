// Reads clocks and /proc, and prints reports.
#include "report.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>
#include <utility>

namespace sluice::bench {
namespace {

constexpr std::array<std::pair<const char*, double>, 7> kPercentiles{{{"p50", 0.5},
                                                                      {"p75", 0.75},
                                                                      {"p90", 0.9},
                                                                      {"p95", 0.95},
                                                                      {"p99", 0.99},
                                                                      {"p999", 0.999},
                                                                      {"p9999", 0.9999}}};

double own_cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// What all threads of a process have run, to the nanosecond; -1 where the kernel does not count
/// it.
double run_seconds_of(pid_t pid) {
  double nanoseconds = -1;
  std::error_code error;
  const std::string tasks = "/proc/" + std::to_string(pid) + "/task";
  for (const auto& task : std::filesystem::directory_iterator(tasks, error)) {
    double ran = 0;
    std::ifstream file(task.path() / "schedstat");
    if (!(file >> ran)) return -1;
    nanoseconds = std::max(nanoseconds, 0.0) + ran;
  }
  return nanoseconds < 0 ? -1 : nanoseconds / 1e9;
}

/// In ticks of 10 ms; -1 when there is no such process.
double tick_seconds_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  if (!std::getline(file, line)) return -1;
  // The program's name stands in parentheses and may hold anything; utime and stime are the 12th
  // and 13th field after it (proc(5)).
  std::istringstream fields(line.substr(line.rfind(')') + 1));
  std::string skipped;
  for (int i = 0; i < 11; ++i)
    fields >> skipped;
  double user = 0;
  double system = 0;
  fields >> user >> system;
  return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

double cpu_seconds_of(pid_t pid) {
  const double ran = run_seconds_of(pid);
  return ran >= 0 ? ran : tick_seconds_of(pid);
}

/// The kernel's VmHWM, which begins with this program; getrusage's maximum begins with whoever
/// started it.
double own_peak_mib() {
  std::ifstream file("/proc/self/status");
  for (std::string word; file >> word;) {
    if (word != "VmHWM:") continue;
    double kib = 0;
    file >> kib;
    return kib / 1024;
  }
  return 0;
}

double rate_of(const Report& report) {
  return report.seconds > 0 ? static_cast<double>(report.ok) / report.seconds : 0;
}

double cpu_us_per_message(const Report& report, double seconds) {
  return report.ok > 0 ? seconds * 1e6 / static_cast<double>(report.ok) : 0;
}

std::uint64_t count_errors(const Report& report) {
  std::uint64_t count = 0;
  for (const auto& [name, times] : report.errors)
    count += times;
  return count;
}

double us(std::uint64_t nanoseconds) {
  return static_cast<double>(nanoseconds) / 1000;
}

void print_json(const Report& report, const Options& options) {
  const Histogram& latency = report.latency;
  std::printf("{\"connections\":%u,\"window\":%u,\"qos\":%d,\"payload_bytes\":%u,\"rate\":%.2f,",
              options.connections, options.window, options.qos, options.payload_bytes,
              options.rate);
  std::printf("\"seconds\":%.4f,\"ok\":%ju,\"messages_per_s\":%.1f,", report.seconds,
              std::uintmax_t{report.ok}, rate_of(report));
  std::printf("\"latency_us\":{");
  for (const auto& [name, share] : kPercentiles)
    std::printf("\"%s\":%.1f,", name, us(latency.percentile(share)));
  std::printf("\"max\":%.1f},\"own_peak_mib\":%.1f,", us(latency.max()), own_peak_mib());
  std::printf("\"sent\":%ju,\"answered\":%ju,\"unsent\":%ju,\"lost_connections\":%ju,",
              std::uintmax_t{report.sent}, std::uintmax_t{report.answered},
              std::uintmax_t{report.unsent}, std::uintmax_t{report.lost_connections});
  std::printf("\"wake_ups\":%ju,\"overslept\":%ju,\"errors\":{", std::uintmax_t{report.wake_ups},
              std::uintmax_t{report.overslept});
  const char* comma = "";
  for (const auto& [name, times] : report.errors) {
    std::printf("%s\"%s\":%ju", comma, name.c_str(), std::uintmax_t{times});
    comma = ",";
  }
  std::printf("},\"cpu_us_per_message\":{");
  comma = "";
  for (const auto& [name, seconds] : report.cpu_seconds) {
    std::printf("%s\"%s\":%.3f", comma, name.c_str(), cpu_us_per_message(report, seconds));
    comma = ",";
  }
  std::printf("}}\n");
}

void print_line(const Report& report, const Options& options) {
  const Histogram& latency = report.latency;
  std::printf("%u x %u, QoS %d, %u B: %.0f msg/s, p50 %.3f p99 %.3f p99.9 %.3f max %.3f ms",
              options.connections, options.window, options.qos, options.payload_bytes,
              rate_of(report), us(latency.percentile(0.5)) / 1000,
              us(latency.percentile(0.99)) / 1000, us(latency.percentile(0.999)) / 1000,
              us(latency.max()) / 1000);
  for (const auto& [name, seconds] : report.cpu_seconds) {
    std::printf(", %s %.2f us", name.c_str(), cpu_us_per_message(report, seconds));
  }
  std::printf(", ok %ju, failed %ju, unanswered %ju", std::uintmax_t{report.ok},
              std::uintmax_t{count_errors(report)}, std::uintmax_t{report.sent - report.answered});
  for (const auto& [name, times] : report.errors) {
    std::printf(", %s %ju", name.c_str(), std::uintmax_t{times});
  }
  if (report.unsent > 0) std::printf(", late and not sent %ju", std::uintmax_t{report.unsent});
  if (report.lost_connections > 0) {
    std::printf(", connections lost %ju", std::uintmax_t{report.lost_connections});
  }
  std::printf("\n");
}

}  // namespace

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

std::vector<double> CpuMeter::read_all() const {
  std::vector<double> all{own_cpu_seconds()};
  for (const auto& [name, pid] : options_.watched)
    all.push_back(cpu_seconds_of(pid));
  return all;
}

std::vector<std::pair<std::string, double>> CpuMeter::seconds() const {
  std::vector<std::pair<std::string, double>> result;
  if (begin_.empty() || end_.empty()) return result;
  result.emplace_back("generator", end_[0] - begin_[0]);
  for (std::size_t i = 0; i < options_.watched.size(); ++i) {
    if (begin_[i + 1] < 0 || end_[i + 1] < 0) continue;
    result.emplace_back(options_.watched[i].first, end_[i + 1] - begin_[i + 1]);
  }
  return result;
}

void print(const Report& report, const Options& options) {
  if (options.json) {
    print_json(report, options);
  } else {
    print_line(report, options);
  }
}

}  // namespace sluice::bench
