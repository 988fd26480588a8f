#include "admin/process_stats.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <string>

namespace sluice::admin {
namespace {

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

/// Seconds from the machine's start to the process's; its name in the file may hold anything.
double started_after_boot() {
  std::ifstream file("/proc/self/stat");
  std::string text;
  std::getline(file, text);
  const std::size_t behind_name = text.rfind(')');
  if (behind_name == std::string::npos) return 0;
  constexpr int kFieldsBetween = 19;  // from the state, field 3, to the start time, field 22
  std::size_t at = behind_name + 2;
  for (int i = 0; i < kFieldsBetween; ++i)
    at = text.find(' ', at) + 1;
  return std::strtod(text.c_str() + at, nullptr) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

double booted_at() {
  std::ifstream file("/proc/stat");
  std::string name;
  for (std::string rest; file >> name; std::getline(file, rest)) {
    double value = 0;
    if (name == "btime" && file >> value) return value;
  }
  return 0;
}

std::uint64_t count_entries(DIR* directory) {
  ::rewinddir(directory);
  std::uint64_t count = 0;
  while (const dirent* entry = ::readdir(directory)) {  // NOLINT(concurrency-mt-unsafe)
    if (entry->d_name[0] != '.') ++count;
  }
  return count;
}

}  // namespace

ProcessStats::ProcessStats()
    : memory_fd_(::open("/proc/self/statm", O_RDONLY | O_CLOEXEC)),
      descriptors_(::opendir("/proc/self/fd")),
      start_time_seconds_(booted_at() + started_after_boot()) {}

ProcessStats::~ProcessStats() {
  if (memory_fd_ >= 0) ::close(memory_fd_);
}

ProcessUsage ProcessStats::read() const {
  ProcessUsage usage;
  usage.start_time_seconds = start_time_seconds_;
  rusage times{};
  if (::getrusage(RUSAGE_SELF, &times) == 0) {
    usage.cpu_seconds = seconds(times.ru_utime) + seconds(times.ru_stime);
  }
  std::array<char, 128> text{};
  unsigned long long pages = 0;
  unsigned long long resident = 0;
  if (::pread(memory_fd_, text.data(), text.size() - 1, 0) > 0 &&
      std::sscanf(text.data(), "%llu %llu", &pages, &resident) == 2) {  // NOLINT(cert-err34-c)
    const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    usage.virtual_bytes = pages * page;
    usage.resident_bytes = resident * page;
  }
  if (descriptors_ != nullptr) usage.open_descriptors = count_entries(descriptors_.get());
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) usage.max_descriptors = limit.rlim_cur;
  return usage;
}

}  // namespace sluice::admin
