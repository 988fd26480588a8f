#include "cli/stop_signals.h"

#include "catch.h"

using sluice::Duration;
using sluice::TimePoint;
using sluice::cli::StopSignals;
using Meaning = StopSignals::Meaning;

TEST_CASE("stop signals within a second are one, a later one exits at once", "[stop]") {
  const TimePoint begin(Duration(5000));
  StopSignals signals;
  CHECK(signals.note(begin) == Meaning::Stop);
  CHECK(signals.note(begin) == Meaning::Echo);
  CHECK(signals.note(begin + Duration(999)) == Meaning::Echo);
  CHECK(signals.note(begin + Duration(1000)) == Meaning::ExitNow);
}

TEST_CASE("echoes do not put off the second signal", "[stop]") {
  const TimePoint begin(Duration(0));
  StopSignals signals;
  CHECK(signals.note(begin) == Meaning::Stop);
  CHECK(signals.note(begin + Duration(600)) == Meaning::Echo);
  CHECK(signals.note(begin + Duration(1200)) == Meaning::ExitNow);
}
