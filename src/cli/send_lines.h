// `sluice send -`: each line of standard input is a message, many of them in flight.
#pragma once

#include "cli/send.h"

namespace sluice::cli {

/// One message of the command.
Message message_of(const SendOptions& options, std::string payload);

/// Sends every line over the connected `client`, prints each reply, and at the end or where it has
/// to stop, a summary. Stops where no result comes for `patience`. Returns the exit status.
int send_lines(Client& client, const SendOptions& options, const SendStreams& streams,
               std::chrono::milliseconds patience);

}  // namespace sluice::cli
