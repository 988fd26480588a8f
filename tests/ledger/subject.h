// The sluice under test: a process with its own configuration and folder.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <string>
#include <utility>

#include "clock.h"

namespace sluice::ledger_run {

struct SubjectPlan {
  std::string binary;
  std::uint16_t broker_port = 0;
  bool is_v5 = true;
  bool has_tls = false;
  bool debug = false;
};

class Subject {
 public:
  explicit Subject(const SubjectPlan& plan);
  /// Ends the process if it still runs, and removes the folder unless keep() was called.
  ~Subject();
  Subject(const Subject&) = delete;
  Subject& operator=(const Subject&) = delete;

  std::uint16_t port() const { return port_; }
  const std::string& folder() const { return folder_; }
  /// Records how long it has waited for a processor so far. Call it a few times a second.
  void note_waiting(Nanoseconds now);
  /// How long it waited for a processor in that time; the lower bound, if uncertain.
  Nanoseconds waited(Nanoseconds since, Nanoseconds now);
  /// True once it has ended; `exit_text()` says how.
  bool has_ended();
  void terminate() const;
  void kill();
  bool ended_well() const { return status_ == 0; }
  std::string exit_text() const;
  /// The first line of a sanitizer in its output; empty if there is none.
  std::string sanitizer_report() const;
  std::string last_lines() const;
  void keep() { keeps_folder_ = true; }

 private:
  void write_configuration(const SubjectPlan& plan) const;

  std::string folder_;
  std::uint16_t port_;
  pid_t pid_ = -1;
  int status_ = -1;
  bool keeps_folder_ = false;
  std::deque<std::pair<Nanoseconds, Nanoseconds>> waiting_;  // time, and the total wait up to then
};

}  // namespace sluice::ledger_run
