// `sluice send`: one message from the command line, or one per line of standard input.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "sluice/client.h"

namespace sluice::cli {

/// The parsed command line.
struct SendOptions {
  std::string address = "127.0.0.1:9501";
  DeviceId device = std::int64_t{0};  ///< text is checked by the server
  std::string topic;
  std::optional<int> qos = {};
  bool retain = false;
  bool json = false;    ///< the message is a JSON value; not together with base64
  bool base64 = false;  ///< the message is base64 of what shall be published
  std::optional<RequestId> id = {};
  std::optional<std::string> token = {};
  std::optional<std::int64_t> timeout_ms = {};  ///< from 1 on
  std::string message;                          ///< "-": each line of standard input is one message
};

/// Where the command reads and writes; tests pass pipes. Nothing is closed.
struct SendStreams {
  int input = 0;
  int output = 1;
  int errors = 2;
  bool show_progress = false;  ///< a line that overwrites itself: only for a terminal
  std::size_t window = 256;    ///< lines in flight
  /// How much later than the deadline of a message its reply may come.
  std::chrono::milliseconds reply_margin{1000};
};

/// Sends, prints each reply on the output, everything else on the errors: nothing that a server
/// says reaches a terminal as more than text. Ends within timeout_ms and the margin (75 s without
/// one), whatever the server does; with lines of standard input that holds for the pause between
/// two results. Returns the exit status: 0 all published, 1 something failed, 2 options that are
/// faulty or contradict each other.
int run_send(const SendOptions& options, const SendStreams& streams);
/// The same with the process's own streams; progress is shown where standard error is a terminal.
int run_send(const SendOptions& options);

}  // namespace sluice::cli
