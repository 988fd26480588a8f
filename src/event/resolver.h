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

/// Turns a host name into numeric addresses. One question at a time; destroying the resolver drops
/// an answer still to come.
class Resolver {
 public:
  using Addresses = std::vector<std::string>;

  Resolver(Loop& loop, Delegate<void(const Result<Addresses>&)> resolved);
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  /// Asks. The answer comes in a later turn, each address once, in the system's order of
  /// preference (RFC 6724). Ignored while a question is open.
  void resolve(const std::string& host);
  /// The first address of a name, or the error's text; digits stay as they are. Waits for the
  /// answer, so not on a loop that has something to do.
  static Result<std::string> wait_for(const std::string& host);
  /// True for an IPv4 or IPv6 address in digits, which needs no resolving.
  static bool is_numeric(const std::string& host) noexcept;
  bool is_busy() const noexcept { return request_ != nullptr || refusal_.has_value(); }

 private:
  struct Request;

  void say_refusal() noexcept;

  Loop& loop_;
  Delegate<void(const Result<Addresses>&)> resolved_;
  Request* request_ = nullptr;  // owned by libuv until its callback
  std::optional<Error> refusal_;
  Deferred refuse_;
};

}  // namespace sluice::event
