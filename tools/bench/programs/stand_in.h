// What the programs that stand before or for a broker have in common.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

#include <charconv>
#include <csignal>
#include <cstdint>
#include <string_view>

namespace sluice::bench {

inline sockaddr_in loopback(unsigned port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

/// Listens on 127.0.0.1; false where it cannot, as errno says.
inline bool listen_on(int socket, unsigned port) {
  const sockaddr_in address = loopback(port);
  const int on = 1;
  setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  return bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
         listen(socket, 1024) == 0;
}

/// A descriptor that is readable when SIGTERM or SIGINT has come, which end nothing any more.
inline int open_end_signals() {
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  sigprocmask(SIG_BLOCK, &ends, nullptr);
  return signalfd(-1, &ends, SFD_CLOEXEC);
}

inline bool read_number(std::string_view text, unsigned most, unsigned& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && value <= most;
}

}  // namespace sluice::bench
