// Sockets of the loopback interface.
#pragma once

#include <cstdint>

namespace sluice::ledger_run {

/// A non-blocking listener on 127.0.0.1, or -1 where the port is taken.
int listen_on(std::uint16_t port);
/// A free port below the range that the kernel gives to clients: a client that connects to a port
/// of that range without a listener can connect to itself.
std::uint16_t find_free_port();
/// A non-blocking connection, made before this returns; -1: nothing listens there.
int connect_to(std::uint16_t port);
void close_with_reset(int fd);
/// The peer has neither closed nor reset the connection.
bool is_established(int fd);

}  // namespace sluice::ledger_run
