// sluice-bench: puts load on a running sluice and says how it was answered. Exit status 0 only if
// every request was answered with code 1.
#include "load.h"
#include "measurement.h"
#include "options.h"
#include "report.h"

int main(int argc, char** argv) {
  using namespace sluice::bench;
  const Options options = parse_options(
      argc, argv, "Sends requests (newline JSON) to a running sluice and measures the replies.");
  Measurement measurement(options);
  Load load(options, measurement);
  load.run();
  print(measurement.report(), options);
  return measurement.report().is_clean() ? 0 : 1;
}
