// The other end of a TCP connection, where it is on this machine.
#pragma once

namespace sluice::event {

/// The process at the other end has closed its socket: what was a FIN to this one was not just a
/// shutdown of its writing side. False where the kernel's table of sockets cannot tell, as for a
/// peer on another machine. Does not block. For the loop's thread only.
bool is_other_end_closed(int fd) noexcept;

}  // namespace sluice::event
