// [limits] input_bytes: what all clients together hold of requests that are partly received or
// parked, and the line of those that may not begin a new one.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/list.h"
#include "event/loop.h"

namespace sluice::client {

class ClientConnection;

/// The sums are kept by difference: each client remembers what it is counted with.
class InputBudget {
 public:
  InputBudget(event::Loop& loop, std::size_t limit) noexcept;

  void set_limit(std::size_t limit) noexcept;

  /// Nobody may begin a new request.
  bool is_full() const noexcept { return partial_ + parked_ > limit_; }
  /// Pausing cannot help: requests that have begun hold more than is allowed.
  bool is_exceeded() const noexcept { return partial_ > limit_; }

  void set_partial(std::uint32_t& counted, std::size_t bytes) noexcept;
  void set_parked(std::uint32_t& counted, std::size_t bytes) noexcept;

  /// Stands in line until admitted: when the sum is below three quarters, one client at a time.
  void wait(ClientConnection& client) noexcept;
  void stop_waiting(ClientConnection& client) noexcept;

 private:
  bool has_room() const noexcept;
  void admit_next() noexcept;
  void change(std::size_t& sum, std::uint32_t& counted, std::size_t bytes) noexcept;

  std::size_t limit_;
  std::size_t partial_ = 0;
  std::size_t parked_ = 0;
  List<ClientConnection> waiting_;
  event::Deferred admit_;
};

}  // namespace sluice::client
