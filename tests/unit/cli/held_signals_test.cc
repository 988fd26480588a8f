#include "cli/held_signals.h"

#include "catch.h"

namespace {

volatile std::sig_atomic_t arrived = 0;

}  // namespace

TEST_CASE("a signal that comes before its handler waits for it", "[signals]") {
  for (const int number : {SIGHUP, SIGUSR1}) {
    arrived = 0;
    {
      const sluice::cli::HeldSignals held;
      std::raise(number);  // would end the process
      std::signal(number, [](int) { arrived = 1; });
      CHECK(arrived == 0);
    }
    CHECK(arrived == 1);
    std::signal(number, SIG_DFL);
  }
}
