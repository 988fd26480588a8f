// The result of a non-blocking read or write.
#pragma once

#include <cstddef>
#include <string>

namespace sluice::event {

struct Transfer {
  enum class State {
    Done,           ///< a write took all; a read filled the buffer, and there may be more
    WaitsReadable,  ///< goes on when the socket is readable
    WaitsWritable,  ///< goes on when the socket is writable
    Ended,          ///< the peer has shut down its writing side
    Failed,         ///< the connection is unusable
  };
  State state = State::Done;
  std::size_t bytes = 0;  ///< bytes moved before that
  int error = 0;          ///< the errno of Failed; 0: TLS itself has failed
  std::string text{};     ///< the TLS error in words
};

}  // namespace sluice::event
