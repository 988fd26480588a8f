// The ledger: takes each request, sends it to its brokers, and answers it exactly once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/deadline_lists.h"
#include "event/loop.h"
#include "event/timer.h"
#include "ledger/counters.h"
#include "ledger/failure_log.h"
#include "ledger/intake.h"
#include "ledger/pending_request.h"
#include "ledger/router.h"
#include "ledger/source.h"
#include "mqtt/pool/pool.h"
#include "protocol/reply.h"

namespace sluice::ledger {

/// One broker, seen from the ledger.
struct BrokerLane {
  mqtt::Pool* pool = nullptr;
  BrokerCounters counters;
  FailureLog failures;
  std::size_t deliveries = 0;  ///< to this broker, of requests in the ledger
};

/// Requests still unanswered when drain_timeout_ms ran out.
struct Leftover {
  std::size_t timed_out = 0;    ///< handed to a connection, not acknowledged
  std::size_t unavailable = 0;  ///< never handed to a connection
};

/// A request is accepted by all its brokers or by none. If one has no room, the request waits in
/// that broker's pool, and its origin submits nothing until its turn comes. Not thread-safe.
class Ledger final : public Intake, public mqtt::PoolEvents {
 public:
  explicit Ledger(event::Loop& loop);
  ~Ledger();
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  /// Sets the brokers for new requests, in the order of the routes' indexes. A broker that has no
  /// route any more stays, behind the others, until its requests are settled.
  void reroute(const std::vector<mqtt::Pool*>& pools, Router router);
  const BrokerLane& lane_of(const mqtt::Pool& pool) const noexcept {
    return *lanes_[index_of(pool)];
  }
  /// No request is left that refers to this broker.
  bool is_done_with(const mqtt::Pool& pool) const noexcept { return lane_of(pool).deliveries == 0; }
  /// Removes a broker that has neither requests nor a route.
  void drop(const mqtt::Pool& pool) noexcept;
  /// Sets a broker's counters to 0, because its name has changed.
  void reset_counters(const mqtt::Pool& pool) noexcept;

  Taken submit(const Origin& origin, protocol::Request& request,
               const Terms& terms) noexcept override;
  void forget(const Origin& origin) noexcept override;
  void on_done(mqtt::Delivery& done) noexcept override;
  void on_room(mqtt::Waiter& waiter) noexcept override;
  void on_dead(mqtt::Pool& pool) noexcept override;

  /// From now on every new request is answered `shutting_down`.
  void drain() noexcept { draining_ = true; }
  /// Every request is answered.
  bool is_idle() const noexcept { return deadlines_.empty(); }
  /// In the order of the configuration; brokers that are being removed come last.
  const std::vector<std::unique_ptr<BrokerLane>>& lanes() const noexcept { return lanes_; }
  /// Results of requests that went to no broker.
  const ResultCounters& unrouted() const noexcept { return unrouted_; }
  /// The broker for whose room this origin waits; nullptr: none.
  const mqtt::Pool* awaited_by(const Origin& origin) const noexcept;

  /// Answers all open requests as at their deadline.
  Leftover give_up_all() noexcept;
  /// Logs the failures that were counted and not logged yet, before the process ends.
  void finish_log() noexcept;

 private:
  enum class AdmitResult { Accepted, Answered, Refused };
  /// The first broker without room, and why it has none.
  struct Refusal {
    BrokerLane* lane = nullptr;
    mqtt::Admission why = mqtt::Admission::Accept;
  };

  /// Names a stream of requests, at most one of which waits.
  struct StreamKey {
    const Source* source;
    std::uint32_t index;
    bool operator==(const StreamKey&) const = default;
  };
  struct StreamKeyHash {
    std::size_t operator()(const StreamKey& stream) const noexcept;
  };
  /// The requests that an origin that waited may still submit in this turn, to the broker with
  /// room.
  struct Grant {
    std::uint32_t generation = 0;
    BrokerLane* lane = nullptr;
    unsigned left = 0;
    std::size_t bytes = 0;  ///< reserved for each of them
  };

  std::size_t index_of(const mqtt::Pool& pool) const noexcept;
  PendingRequest& take_pending();
  void prepare(PendingRequest& pending, std::span<const std::size_t> brokers);
  AdmitResult admit(PendingRequest& pending, bool in_turn, Refusal& refusal) noexcept;
  bool refuse_beforehand(PendingRequest& pending) noexcept;
  bool route(PendingRequest& pending, std::string_view broker) noexcept;
  void begin_wait(PendingRequest& pending, const Refusal& refusal) noexcept;
  void end_wait(PendingRequest& pending) noexcept;
  PendingRequest* waiting_of(const Origin& origin) const noexcept;
  void serve(const Origin& origin, BrokerLane& lane, const protocol::Request& like) noexcept;
  unsigned call_grant(const Origin& origin, unsigned most) noexcept;
  bool use_grant(const PendingRequest& pending) noexcept;
  void end_grant(const Origin& origin) noexcept;
  void end_grants() noexcept;
  void expire(PendingRequest& pending) noexcept;
  void answer_unrouted(PendingRequest& pending, protocol::ErrorKind error,
                       std::string detail) noexcept;
  void report(const BrokerDelivery& delivery) noexcept;
  void count(const BrokerDelivery& delivery, bool ok, protocol::ErrorKind error) noexcept;
  void note_failure(const BrokerDelivery& delivery, protocol::ErrorKind error) noexcept;
  void log_failures() noexcept;
  std::string describe_no_route(std::int64_t device_id) const;
  void answer(PendingRequest& pending, const protocol::Reply& reply) noexcept;
  void recycle(PendingRequest& pending) noexcept;
  void arm() noexcept;
  void on_overdue() noexcept;
  void withdraw(PendingRequest& pending) noexcept;
  void on_deadline() noexcept;
  void log_answer(const PendingRequest& pending, const protocol::Reply& reply) noexcept;

  event::Loop& loop_;
  std::vector<std::unique_ptr<BrokerLane>> lanes_;
  std::size_t routed_ = 0;  // number of lanes, from the first, that get new requests
  Router router_;
  ResultCounters unrouted_;
  FailureLog unrouted_failures_;
  event::Timer failure_timer_;               // runs log_failures(), while there is anything to log
  DeadlineLists<PendingRequest> deadlines_;  // all unanswered ones; TimePoint::max(): no deadline
  event::Timer overdue_timer_;
  event::Timer timer_;  // due at the same time; after a stall it fires later
  std::vector<std::unique_ptr<PendingRequest>> requests_;  // owns all of them
  List<PendingRequest> free_;  // neither in use nor waiting; takes no memory of its own
  std::pmr::unsynchronized_pool_resource memory_;
  // Requests that wait for room; empty if none does.
  std::pmr::unordered_map<StreamKey, PendingRequest*, StreamKeyHash> waiting_{&memory_};
  std::pmr::unordered_map<StreamKey, Grant, StreamKeyHash> grants_{&memory_};  // of this turn
  event::Deferred grants_end_;
  bool is_calling_ = false;  // within a call of a Source, which must not submit
  bool draining_ = false;
};

}  // namespace sluice::ledger
