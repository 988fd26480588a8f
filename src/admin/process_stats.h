// The process_* metrics that every Prometheus client has, read from the kernel.
#pragma once

#include <dirent.h>

#include <cstdint>
#include <memory>

namespace sluice::admin {

/// A value that could not be read is 0.
struct ProcessUsage {
  double cpu_seconds = 0;
  double start_time_seconds = 0;  ///< since 1970
  std::uint64_t resident_bytes = 0;
  std::uint64_t virtual_bytes = 0;
  std::uint64_t open_descriptors = 0;
  std::uint64_t max_descriptors = 0;
};

/// Keeps its files under /proc open, so that it can count descriptors even when none is free.
class ProcessStats {
 public:
  ProcessStats();
  ~ProcessStats();
  ProcessStats(const ProcessStats&) = delete;
  ProcessStats& operator=(const ProcessStats&) = delete;

  ProcessUsage read() const;

 private:
  struct CloseDirectory {
    void operator()(DIR* directory) const noexcept { ::closedir(directory); }
  };

  int memory_fd_;
  std::unique_ptr<DIR, CloseDirectory> descriptors_;
  double start_time_seconds_;
};

}  // namespace sluice::admin
