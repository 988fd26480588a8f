// The command line.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "faults.h"

namespace sluice::ledger_run {

struct Options {
  std::string binary;
  std::uint64_t first_seed = 1;
  std::uint64_t last_seed = 1;
  std::vector<Fault> faults;
  std::string faults_text = "all";
  std::uint64_t messages = 50'000;  ///< minimum for each seed
  unsigned connections = 50;        ///< of clients
  unsigned window = 16;             ///< unanswered requests of each
  unsigned rate = 8'000;            ///< requests a second of all clients; 0: as fast as answered
  bool is_v5 = true;
  bool has_tls = false;
  int qos = 0;  ///< of every message; 0: one in four is QoS 2, the others QoS 1
  bool quick = false;
  bool debug = false;  ///< sluice's log at level debug
  bool keep = false;   ///< keep its folder even without a violation
};

/// Prints the usage and ends the program on --help (0) and on a fault (2); also the list of faults.
Options parse_options(int argc, char** argv);
/// The command that repeats one seed.
std::string command_for(const Options& options, std::uint64_t seed);

}  // namespace sluice::ledger_run
