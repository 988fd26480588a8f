// How requests and replies are told apart on a connection.
#pragma once

namespace sluice::protocol {

/// Decided by a connection's first byte, for its life. Replies come in the framing of the requests.
enum class Framing {
  Unknown,         ///< nothing was received yet
  Stream,          ///< JSON objects one after another
  LengthPrefixed,  ///< a 4-byte big-endian length before each object
};

}  // namespace sluice::protocol
