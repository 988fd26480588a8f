// Recognizes a server of another protocol by the first bytes it sends.
#pragma once

#include <array>
#include <string_view>

namespace sluice {

/// A TLS record's header begins so: its type, from 20 to 23, and the version's major number.
constexpr bool is_tls_record(std::string_view first_bytes) noexcept {
  return first_bytes.size() >= 2 && first_bytes[0] >= 20 && first_bytes[0] <= 23 &&
         first_bytes[1] == 3;
}

/// "HTTP", "SSH"; empty: not recognized. Five bytes are enough.
constexpr std::string_view protocol_of(std::string_view first_bytes) noexcept {
  struct Greeting {
    std::string_view begin;
    std::string_view protocol;
  };
  constexpr std::array kGreetings = {
      Greeting{"HTTP", "HTTP"},        Greeting{"SSH-", "SSH"},  Greeting{"220 ", "SMTP or FTP"},
      Greeting{"220-", "SMTP or FTP"}, Greeting{"AMQP", "AMQP"},
  };
  if (is_tls_record(first_bytes)) return "TLS";
  for (const Greeting& greeting : kGreetings) {
    if (first_bytes.starts_with(greeting.begin)) return greeting.protocol;
  }
  return {};
}

}  // namespace sluice
