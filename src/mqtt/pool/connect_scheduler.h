// Rate-limits a pool's connection attempts and picks the broker address: a few attempts run at once
// while the broker accepts connections, and one while it does not. Without any connection one
// begins at least every kUrgentRetry.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/delegate.h"
#include "base/list.h"
#include "event/loop.h"
#include "event/resolver.h"
#include "event/timer.h"
#include "mqtt/link/link.h"
#include "mqtt/pool/protocol_choice.h"

namespace sluice::mqtt {

/// Starts attempts in the order of enqueue(), links with messages to send again first. Owned by the
/// Pool, which reports how each attempt ended.
class ConnectScheduler {
 public:
  /// Starts an attempt of this link to this address; an error: no address, the attempt has failed.
  using Attempt = Delegate<void(Link&, const Result<std::string>&)>;

  /// `may_start` is asked before each attempt; a link that it refuses stays queued and is asked for
  /// again, by retry() at the latest. `hurry`
  /// is called where an attempt is due and no link waits: one that backs off is to be enqueued.
  ConnectScheduler(event::Loop& loop, const config::Broker& broker, Delegate<bool(Link&)> may_start,
                   Attempt attempt, Delegate<void()> hurry);

  /// The link wants a connection: its attempt starts in turn.
  void enqueue(Link& link);
  /// An attempt succeeded. True for the first one, and for the first after a failure.
  bool on_success();
  /// An attempt failed. True: that is part of the search for the broker's MQTT version.
  bool on_failure(const Loss& loss);
  /// The number of connections that are up.
  void note_up(std::size_t up) noexcept;
  /// A client identifier was freed: retries refused attempts.
  void retry() noexcept { start_.schedule(); }
  /// The link no longer wants a connection.
  void cancel(Link& link) noexcept {
    if (waiting_.holds(link)) waiting_.remove(link);
  }
  /// The broker's settings have changed: ends pauses and the fallback to 3.1.1, and with
  /// `address_changed` resolves the host name again.
  void reset(bool address_changed);
  /// Ends the fallback to 3.1.1: the next attempts use the configured protocol.
  void reset_protocol() noexcept { protocol_.reset(); }
  /// Starts no more attempts.
  void stop() noexcept;

  config::Protocol protocol() const noexcept { return protocol_.current(); }
  /// The latest attempt succeeded.
  bool is_healthy() const noexcept { return is_healthy_; }
  bool is_connecting() const noexcept { return connecting_ > 0; }
  /// No attempt starts before this time, which may be in the past.
  TimePoint paused_until() const noexcept { return paused_until_; }
  /// While no connection is up: an attempt starts by then, whatever the links' delays.
  std::optional<TimePoint> urgent_at() const noexcept;

 private:
  void reset_addresses();
  void start_next() noexcept;
  bool may_start_another() const noexcept;
  TimePoint earliest_start() const noexcept;
  Link* next_permitted() noexcept;
  void begin(Link& link, const Result<std::string>& address) noexcept;
  void on_urgent() noexcept;
  void note_failure() noexcept;
  void ask_if_due() noexcept;
  void on_resolved(const Result<event::Resolver::Addresses>& resolved) noexcept;
  void adopt(const event::Resolver::Addresses& resolved);

  event::Loop& loop_;
  const config::Broker& broker_;
  Delegate<bool(Link&)> may_start_;
  Attempt attempt_;
  Delegate<void()> hurry_;
  std::unique_ptr<event::Resolver> resolver_;
  event::Timer pause_timer_;
  event::Timer urgent_timer_;  // runs while no connection is up
  event::Timer lookup_timer_;
  event::Deferred start_;  // attempts start at the end of a turn, never in a link's callback
  List<Link> waiting_;
  std::size_t connecting_ = 0;
  bool is_down_ = true;      // no connection is up
  bool is_healthy_ = false;  // the latest attempt succeeded
  bool stopped_ = false;
  TimePoint latest_start_{};
  TimePoint paused_until_{};
  ProtocolChoice protocol_;
  event::Resolver::Addresses addresses_;
  std::size_t next_address_ = 0;
  std::size_t failures_ = 0;  // attempts since one succeeded
  bool wants_lookup_ = false;
  TimePoint asked_at_{};                  // the latest lookup began
  std::optional<TimePoint> answered_at_;  // it ended, well or not
};

}  // namespace sluice::mqtt
