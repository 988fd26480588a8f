// Bounds [limits] input_bytes, the memory of partly received and waiting requests of all clients,
// and queues the clients that may not begin another request.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/list.h"
#include "event/loop.h"

namespace sluice::client {

class ClientConnection;

/// Keeps the sums by difference: each client stores the number that it is counted with.
class InputBudget {
 public:
  InputBudget(event::Loop& loop, std::size_t limit) noexcept;

  void set_limit(std::size_t limit) noexcept;

  /// No client may begin a new request.
  bool is_full() const noexcept { return partial_ + complete_ > limit_; }
  /// Pausing clients does not help: partly received requests alone exceed the limit.
  bool is_exceeded() const noexcept { return partial_ > limit_; }

  /// The bytes of a client's partly received request.
  void set_partial(std::uint32_t& counted, std::size_t bytes) noexcept;
  /// The bytes of its complete requests that wait, and of input kept while it waits.
  void set_complete(std::uint32_t& counted, std::size_t bytes) noexcept;

  /// Queues the client. Clients are admitted one at a time once the sum is below three quarters.
  void wait(ClientConnection& client) noexcept;
  void stop_waiting(ClientConnection& client) noexcept;

 private:
  bool has_room() const noexcept;
  void admit_next() noexcept;
  void change(std::size_t& sum, std::uint32_t& counted, std::size_t bytes) noexcept;

  std::size_t limit_;
  std::size_t partial_ = 0;
  std::size_t complete_ = 0;
  List<ClientConnection> waiting_;
  event::Deferred admit_;
};

}  // namespace sluice::client
