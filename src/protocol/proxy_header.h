// Reads a PROXY protocol header, version 1 or 2, at the front of a connection. It does no I/O.
// https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::protocol {

/// Takes the first bytes of a connection in pieces of any size, until a step does not return
/// NeedMore. Holds at most kHeldBytes of them.
class ProxyHeaderReader {
 public:
  /// The longest line of version 1, with its CRLF.
  static constexpr std::size_t kHeldBytes = 107;
  /// What may follow the addresses of version 2; all of it is skipped.
  static constexpr std::size_t kMaxTlvBytes = 4096;

  enum class Result {
    NeedMore,   ///< all of the piece belongs to the header, or may
    Absent,     ///< the connection begins with something else: held(), then this whole piece
    Found,      ///< the header ends behind the bytes used; see source()
    Malformed,  ///< it begins like a header and is none; see fault()
  };

  /// `used`: how many bytes of the piece belong to the header.
  Result step(std::string_view piece, std::size_t& used) noexcept;

  /// 1 or 2 once the signature of a version was read; until then 0.
  int version() const noexcept { return version_; }
  /// After NeedMore while version() is 0, and after Absent: bytes of the pieces before that may
  /// have been, or are not, the begin of a header.
  std::string_view held() const noexcept { return {held_.data(), size_}; }
  /// After Found: the announced client, `IP:PORT` or `unix`. Empty: the peer speaks for itself, or
  /// does not know (LOCAL, UNKNOWN).
  const std::string& source() const noexcept { return source_; }
  /// After Malformed: what was expected and what was found.
  const std::string& fault() const noexcept { return fault_; }

 private:
  enum class State { Signature, Line, Fixed, Addresses, Skip, Found, Malformed };

  void take(char byte) noexcept;
  void match_signature() noexcept;
  void read_line();
  void read_fixed();
  void read_addresses();
  void end_addresses() noexcept;
  void fail(std::string fault) noexcept;

  State state_ = State::Signature;
  int version_ = 0;
  bool is_absent_ = false;
  std::size_t size_ = 0;       // of held_
  std::size_t addresses_ = 0;  // of version 2: bytes of addresses to hold, behind the fixed part
  std::size_t skipped_ = 0;    // of version 2: bytes left to skip
  std::array<char, kHeldBytes> held_{};
  std::string source_;
  std::string fault_;
};

}  // namespace sluice::protocol
