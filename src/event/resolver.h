// Name resolution off the loop, which never waits for a DNS server.
#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "base/delegate.h"
#include "base/error.h"
#include "event/handle.h"
#include "event/name_service.h"

namespace sluice::event {

class Loop;

/// Resolves a host name to numeric addresses with the loop's NameService. One query at a time;
/// destroying the resolver drops a pending answer.
class Resolver {
 public:
  using Addresses = event::Addresses;

  Resolver(Loop& loop, Delegate<void(const Result<Addresses>&)> resolved) noexcept
      : loop_(loop), resolved_(resolved) {}
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  /// Starts a query. The answer comes in a later turn, each address once, in the system's order of
  /// preference (RFC 6724). Ignored while a query is pending.
  void resolve(const std::string& host);
  bool is_busy() const noexcept { return lookup_ != nullptr; }

  /// The first address of a name, or the error's text; a numeric address stays as it is.
  /// Blocks: not for the loop once it runs.
  static Result<std::string> wait_for(const std::string& host);
  /// All addresses of a name for connecting to it, or the error's text. Blocks.
  static Result<Addresses> ask_system(const std::string& host);
  /// True for an IPv4 or IPv6 address in digits, which needs no resolving.
  static bool is_numeric(const std::string& host) noexcept;

 private:
  void on_answered() noexcept;

  Loop& loop_;
  Delegate<void(const Result<Addresses>&)> resolved_;
  std::shared_ptr<Lookup> lookup_;  // while it is pending
  Handle<uv_async_s> answered_;     // the same
  std::chrono::nanoseconds started_{};
  bool was_slow_ = false;  // the latest lookup failed or took long
};

}  // namespace sluice::event
