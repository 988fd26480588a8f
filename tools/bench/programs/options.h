// The command line that the load-making programs of tools/bench share: what load to make, how long,
// and which processes' CPU time to read meanwhile.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace sluice::bench {

struct Options {
  std::string host = "127.0.0.1";  ///< a numeric IPv4 address
  std::uint16_t port = 9501;
  unsigned connections = 20;
  unsigned window = 1;  ///< unanswered requests of one connection
  int qos = 1;
  unsigned payload_bytes = 100;
  unsigned devices = 1000;
  unsigned first_device = 1;
  bool ids = false;            ///< each request carries an `id`, and its reply is looked up by it
  bool batched = false;        ///< the library's socket is read and written in large pieces
  double seconds = 3;          ///< length of the measurement
  double warm_up_seconds = 1;  ///< the same load before it, not counted
  std::uint64_t messages =
      0;            ///< if not 0: this many messages, without warm-up, instead of `seconds`
  double rate = 0;  ///< messages a second over all connections; 0: as fast as answered
  double grace_seconds = 15;  ///< after the end, for replies still due
  bool json = false;
  std::vector<std::pair<std::string, pid_t>> watched;  ///< name and process
};

/// Reads the command line. Prints the usage and ends the program on --help (0) and on a fault (2).
Options parse_options(int argc, char** argv, const char* what_it_does);

/// The payload of every message: `payload_bytes` bytes that need no escape in JSON.
std::string make_payload(const Options& options);

/// The topic of one device, the same in every program: the broker does the same work for each.
std::string topic_of(unsigned device);

/// Says why on stderr and ends the program with status 1.
[[noreturn]] void fail(const std::string& why);

}  // namespace sluice::bench
