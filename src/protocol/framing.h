// How requests and replies are delimited on a connection.
#pragma once

namespace sluice::protocol {

/// Set by a connection's first byte and never changed. Replies use the framing of the requests.
enum class Framing {
  Unknown,         ///< nothing was received yet
  Stream,          ///< JSON objects one after another
  LengthPrefixed,  ///< a 4-byte big-endian length before each object
};

}  // namespace sluice::protocol
