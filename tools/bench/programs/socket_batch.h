// Fewer system calls for libmosquitto: many packets in one read, many in one write.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::bench {

/// libmosquitto 2.0 calls read(2) three times for a PUBACK and write(2) twice for a PUBLISH: once
/// for the packet, once to wake up a thread that does not exist here. Most of the processor time of
/// a message would be that. So this file's partner defines read(), write() and socketpair() for the
/// whole program. They do what the C library's do, except that within a Call the library's socket
/// is read and written to in large pieces, and that WithoutWakeUp keeps it from having anybody to
/// wake up. A library that uses other functions works as it always did, only slower. A signal may
/// come within a Call, and its handler read and write what it likes, but for that socket.
///
/// One per connection. Not thread-safe.
class SocketBatch {
 public:
  enum class Mode {
    Batched,  ///< plain TCP
    Direct,   ///< each read and write at once: TLS, and DISCONNECT, after which the library closes
  };

  /// The time of one call into libmosquitto. None may be within another one.
  class Call {
   public:
    Call(SocketBatch& batch, int fd, Mode mode) noexcept;
    /// Sends what the library has written. What the socket does not take stays in the batch.
    ~Call();
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

   private:
    friend struct SocketCalls;
    SocketBatch& batch_;
    const int fd_;
    const Mode mode_;
    std::size_t filled_ = 0;  // of the scratch for writing
  };

  /// The time in which the library makes a handle or connects one: it gets no pair of sockets, and
  /// does without (it would say so at level warning).
  class WithoutWakeUp {
   public:
    WithoutWakeUp() noexcept;
    ~WithoutWakeUp();
    WithoutWakeUp(const WithoutWakeUp&) = delete;
    WithoutWakeUp& operator=(const WithoutWakeUp&) = delete;
  };

  /// Read from the socket and not yet taken by the library: call it again.
  bool has_unread() const noexcept { return !unread_.empty(); }
  /// Written by the library and not yet taken by the socket: send() when it is writable.
  bool has_unsent() const noexcept { return !unsent_.empty(); }
  /// Tries to send the rest.
  void send(int fd) noexcept;
  /// The errno of a send that failed; 0: none did. The connection is of no use then.
  int failure() const noexcept { return failure_; }
  /// How many bytes the library has written into batches, and how many of those the socket has
  /// taken. A write that goes straight to the socket is in neither.
  std::uint64_t written() const noexcept { return written_; }
  std::uint64_t taken() const noexcept { return taken_; }
  /// The connection is over.
  void discard() noexcept;

 private:
  friend struct SocketCalls;
  void send_or_keep(int fd, std::string_view bytes) noexcept;

  std::string_view unread_;  // in the scratch of all batches: no other one may read meanwhile
  bool drained_ = false;     // the latest read took all there was
  std::string unsent_;
  std::uint64_t written_ = 0;
  std::uint64_t taken_ = 0;
  int failure_ = 0;
};

}  // namespace sluice::bench
