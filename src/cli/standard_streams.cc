#include "cli/standard_streams.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace sluice::cli {

bool open_standard_streams() noexcept {
  for (int number = STDIN_FILENO; number <= STDERR_FILENO; ++number) {
    if (::fcntl(number, F_GETFD) >= 0) continue;
    // Gets the lowest free number, which is this one.
    if (::open("/dev/null", O_RDWR | O_NOCTTY) >= 0) continue;
    std::fprintf(stderr, "sluice: descriptor %d is closed, and /dev/null cannot be opened: %s\n",
                 number, std::strerror(errno));
    return false;
  }
  return true;
}

}  // namespace sluice::cli
