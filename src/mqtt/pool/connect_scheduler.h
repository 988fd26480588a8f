// Paces a pool's connection attempts and knows where to knock: twenty connections must not do it
// at once, and a broker that is down is asked by one at a time.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/delegate.h"
#include "base/list.h"
#include "event/loop.h"
#include "event/resolver.h"
#include "event/timer.h"
#include "mqtt/link/link.h"

namespace sluice::mqtt {

/// Permits attempts in the order in which links asked. Owned by the Pool, which tells it how each
/// attempt ended.
class ConnectScheduler {
 public:
  /// An attempt for this link, to this address, or the reason why there is none: it has failed.
  using Attempt = Delegate<void(Link&, const Result<std::string>&)>;

  /// `may_start`: asked right before an attempt; who is refused waits until retry().
  ConnectScheduler(event::Loop& loop, const config::Broker& broker, Delegate<bool(Link&)> may_start,
                   Attempt attempt);

  /// The link wants a connection; there is an attempt for it when its turn comes.
  void enqueue(Link& link);
  /// An attempt succeeded: the broker takes connections. True if the one before it had failed.
  bool on_success();
  /// An attempt failed.
  void on_failure(const Loss& loss);
  /// Somebody who was refused may be permitted now.
  void retry() noexcept { start_.schedule(); }
  /// The link does not want a connection any more.
  void cancel(Link& link) noexcept {
    if (waiting_.holds(link)) waiting_.remove(link);
  }
  /// The broker's settings have changed: what was learnt under the former ones is forgotten.
  /// `address_changed`: it has another address.
  void reset(bool address_changed);
  /// The next attempts speak the configured protocol again.
  void reset_protocol() noexcept { protocol_ = broker_.protocol; }
  /// Nothing more is to be started.
  void stop() noexcept;

  config::Protocol protocol() const noexcept { return protocol_; }

 private:
  void reset_addresses();
  void start_next() noexcept;
  Link* next_permitted() noexcept;
  void on_resolved(const Result<event::Resolver::Addresses>& resolved) noexcept;
  bool needs_resolving() const noexcept;

  event::Loop& loop_;
  const config::Broker& broker_;
  Delegate<bool(Link&)> may_start_;
  Attempt attempt_;
  std::unique_ptr<event::Resolver> resolver_;
  event::Timer pause_timer_;
  event::Deferred start_;  // attempts begin at the end of a turn, never inside a link's callback
  List<Link> waiting_;
  std::size_t connecting_ = 0;
  bool is_healthy_ = false;  // the latest attempt succeeded
  bool stopped_ = false;
  TimePoint paused_until_{};
  config::Protocol protocol_;
  event::Resolver::Addresses addresses_;
  TimePoint resolved_at_{};
  std::size_t next_address_ = 0;
};

}  // namespace sluice::mqtt
