// What `sluice send` writes: replies and faults, without what a terminal would obey.
#pragma once

#include <string>
#include <string_view>

#include "sluice/client.h"

namespace sluice::cli {

/// Writes all of it, and waits where the descriptor does not block. False: the reader is gone.
bool write_all(int fd, std::string_view text);

/// One line for a person: what steers the display, and what is no UTF-8, as \xNN.
std::string printable(std::string_view text);

/// The same JSON on one line, with what steers the display as \uNNNN, and each byte that is no
/// UTF-8 as U+FFFD.
std::string printable_reply(std::string_view reply);

/// "outcome unknown: connection lost (closed by the server)", for a result without a reply. Fit to
/// be shown.
std::string describe(const PublishResult& result);

}  // namespace sluice::cli
