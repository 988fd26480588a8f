// The descriptors 0, 1 and 2 at the start.
#pragma once

namespace sluice::cli {

/// Opens /dev/null as each of these that is closed. Otherwise a socket or a file would get that
/// number, and with it what is written to standard error. Call before anything is opened; false:
/// it cannot be done, and is reported where that is possible.
bool open_standard_streams() noexcept;

}  // namespace sluice::cli
