// Paces a pool's connection attempts and knows where to knock: twenty connections must not do it
// at once, and a broker that is down is asked by one at a time.
#pragma once

#include <cstddef>
#include <deque>
#include <string>

#include "base/clock.h"
#include "event/loop.h"
#include "event/resolver.h"
#include "event/timer.h"
#include "mqtt/link.h"

namespace sluice::mqtt {

/// Permits attempts in the order in which links asked. Owned by the Pool, which tells it how each
/// attempt ended.
class Connector {
 public:
  Connector(event::Loop& loop, const config::Broker& broker);

  /// The link wants a connection; it gets its Link::connect() when its turn comes.
  void enqueue(Link& link);
  /// An attempt succeeded: the broker takes connections.
  void on_success();
  /// An attempt failed.
  void on_failure(const Loss& loss);
  /// Nothing more is to be started.
  void stop() noexcept;

  config::Protocol protocol() const noexcept { return protocol_; }

 private:
  void start_next() noexcept;
  void on_resolved(const Result<event::Resolver::Addresses>& resolved) noexcept;
  bool needs_resolving() const noexcept;

  event::Loop& loop_;
  const config::Broker& broker_;
  event::Resolver resolver_;
  event::Timer hold_timer_;
  event::Deferred start_;  // attempts begin at the end of a turn, never inside a link's callback
  std::deque<Link*> waiting_;
  std::size_t connecting_ = 0;
  bool is_healthy_ = false;  // the latest attempt succeeded
  bool stopped_ = false;
  TimePoint hold_until_{};
  config::Protocol protocol_;
  event::Resolver::Addresses addresses_;
  TimePoint resolved_at_{};
  std::size_t next_address_ = 0;
};

}  // namespace sluice::mqtt
