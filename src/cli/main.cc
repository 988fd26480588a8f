// Calls the command that the command line names.
#include <malloc.h>

#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "cli/command_line.h"
#include "cli/send.h"
#include "cli/serve.h"
#include "cli/standard_streams.h"

namespace {

using sluice::cli::CommandLine;

int run(const CommandLine& line) {
  switch (line.command) {
    case CommandLine::Command::Serve:
      return sluice::cli::run_serve(line.serve);
    case CommandLine::Command::Check:
      return sluice::cli::run_check(line.serve.file);
    case CommandLine::Command::Send:
      return sluice::cli::run_send(line.send);
    case CommandLine::Command::Print:
      break;
  }
  std::fputs(line.text.c_str(), line.status == sluice::cli::kDone ? stdout : stderr);
  return line.status;
}

}  // namespace

int main(int argc, char** argv) {
  if (!sluice::cli::open_standard_streams()) return sluice::cli::kFailed;
#ifdef __GLIBC__
  // Keep the heap between bursts instead of paging it in again. Large blocks are mapped: in the
  // heap a request that grows leaves holes behind it, which added half of input_bytes and more.
  ::mallopt(M_TRIM_THRESHOLD, 8 << 20);
  ::mallopt(M_MMAP_THRESHOLD, 128 << 10);
#endif
  try {
    return run(sluice::cli::parse_command_line({argv + (argc > 0 ? 1 : 0), argv + argc}));
  } catch (const std::exception& error) {
    // Memory or descriptors ran out, or a bug: nothing else is expected to throw.
    std::fprintf(stderr, "sluice: %s\n", error.what());
    return sluice::cli::kFailed;
  }
}
