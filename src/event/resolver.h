// Name resolution on libuv's thread pool: the loop never waits for a DNS server.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/delegate.h"
#include "base/error.h"
#include "event/handle.h"
#include "event/loop.h"

namespace sluice::event {

/// Resolves a host name to numeric addresses. One query at a time; destroying the resolver drops a
/// pending answer.
class Resolver {
 public:
  using Addresses = std::vector<std::string>;

  Resolver(Loop& loop, Delegate<void(const Result<Addresses>&)> resolved);
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  /// Starts a query. The answer comes in a later turn, each address once, in the system's order of
  /// preference (RFC 6724). Ignored while a query is pending.
  void resolve(const std::string& host);
  /// The first address of a name, or the error's text; a numeric address stays as it is.
  /// Blocks: not for the loop once it runs.
  static Result<std::string> wait_for(const std::string& host);
  /// True for an IPv4 or IPv6 address in digits, which needs no resolving.
  static bool is_numeric(const std::string& host) noexcept;
  bool is_busy() const noexcept { return request_ != nullptr || failure_.has_value(); }

 private:
  struct Request;

  void report_failure() noexcept;

  Loop& loop_;
  Delegate<void(const Result<Addresses>&)> resolved_;
  Request* request_ = nullptr;  // owned by libuv until its callback
  std::optional<Error> failure_;
  Deferred report_;
};

}  // namespace sluice::event
