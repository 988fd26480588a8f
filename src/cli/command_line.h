// What the command line asks for.
#pragma once

#include <string>
#include <vector>

#include "cli/send.h"
#include "cli/serve.h"

namespace sluice::cli {

struct CommandLine {
  enum class Command { Print, Serve, Check, Send };
  Command command = Command::Print;
  ServeOptions serve = {};  ///< of Serve; Check uses its file
  SendOptions send = {};
  std::string text = {};  ///< of Print: help, the version or a fault, with its newline
  int status = kDone;     ///< of Print: kDone, or kMisused with a fault
};

/// `arguments` without the program's name. Options may stand anywhere behind the command; behind --
/// nothing is an option.
CommandLine parse_command_line(const std::vector<std::string>& arguments);

}  // namespace sluice::cli
