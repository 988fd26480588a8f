// The ledger: takes each request, sends it to its brokers, and answers it exactly once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/deadline_lists.h"
#include "event/loop.h"
#include "event/timer.h"
#include "ledger/counters.h"
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
  std::size_t deliveries = 0;  ///< to this broker, of requests in the ledger
};

/// What was still unanswered when the drain ran out.
struct Leftover {
  std::size_t timed_out = 0;    ///< had been handed to a connection
  std::size_t unavailable = 0;  ///< had not
};

/// A request is accepted by all its brokers or by none. Where one has no room it waits in that
/// one's pool, and its origin submits nothing until it is served, in turn. Not thread-safe.
class Ledger final : public Intake, public mqtt::PoolEvents {
 public:
  explicit Ledger(event::Loop& loop);
  ~Ledger();
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  /// The brokers in the order of the routes, for requests from now on. Brokers to which no route
  /// leads any more stay, behind the others, for the requests that they have.
  void reroute(const std::vector<mqtt::Pool*>& pools, Router router);
  const BrokerLane& lane_of(const mqtt::Pool& pool) const noexcept {
    return *lanes_[index_of(pool)];
  }
  /// No request is left that refers to this broker.
  bool is_done_with(const mqtt::Pool& pool) const noexcept { return lane_of(pool).deliveries == 0; }
  /// Forgets a broker without requests and without a route.
  void drop(const mqtt::Pool& pool) noexcept;
  /// The broker has another name now: its counters start anew.
  void reset_counters(const mqtt::Pool& pool) noexcept;

  Taken submit(const Origin& origin, protocol::Request& request,
               const Terms& terms) noexcept override;
  void forget(const Origin& origin) noexcept override;
  void on_done(mqtt::Delivery& done) noexcept override;
  void on_room(mqtt::Waiter& waiter) noexcept override;
  void on_dead(mqtt::Pool& pool) noexcept override;

  /// From now on every new request is answered `shutting_down`.
  void drain() noexcept { draining_ = true; }
  /// Nothing is unanswered.
  bool is_idle() const noexcept { return deadlines_.empty(); }
  /// For the operator, in the order of the configuration; then brokers that are leaving.
  const std::vector<std::unique_ptr<BrokerLane>>& lanes() const noexcept { return lanes_; }
  /// Requests answered here that went to no broker.
  const ResultCounters& unrouted() const noexcept { return unrouted_; }
  /// The broker for whose room this origin waits; nullptr: none.
  const mqtt::Pool* awaited_by(const Origin& origin) const noexcept;

  /// Answers everything that is left as if its deadline had come.
  Leftover give_up_all() noexcept;

 private:
  enum class AdmitResult { Accepted, Answered, Refused };
  /// The first broker that has no room, and how it said so.
  struct Refusal {
    BrokerLane* lane = nullptr;
    mqtt::Admission why = mqtt::Admission::Accept;
  };

  /// A stream of requests, of which at most one waits.
  struct StreamKey {
    const Source* source;
    std::uint32_t index;
    bool operator==(const StreamKey&) const = default;
  };
  struct StreamKeyHash {
    std::size_t operator()(const StreamKey& stream) const noexcept;
  };
  /// What an origin that waited may still submit in this turn, at the broker that had the room.
  struct Grant {
    std::uint32_t generation = 0;
    BrokerLane* lane = nullptr;
    unsigned left = 0;
    std::size_t bytes = 0;  ///< what is reserved for each
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
  void answer(PendingRequest& pending, const protocol::Reply& reply) noexcept;
  void recycle(PendingRequest& pending) noexcept;
  void arm() noexcept;
  void on_deadline() noexcept;
  void log_answer(const PendingRequest& pending, const protocol::Reply& reply) noexcept;

  event::Loop& loop_;
  std::vector<std::unique_ptr<BrokerLane>> lanes_;
  std::size_t routed_ = 0;  // the first of them, which get new requests
  Router router_;
  ResultCounters unrouted_;
  DeadlineLists<PendingRequest> deadlines_;  // all unanswered ones; TimePoint::max(): no deadline
  event::Timer timer_;
  TimePoint armed_for_ = TimePoint::max();
  std::vector<std::unique_ptr<PendingRequest>> requests_;  // owns all of them
  List<PendingRequest> free_;  // neither in use nor waiting; takes no memory of its own
  std::pmr::unsynchronized_pool_resource memory_;
  // Requests that wait for room; empty if none does.
  std::pmr::unordered_map<StreamKey, PendingRequest*, StreamKeyHash> waiting_{&memory_};
  std::pmr::unordered_map<StreamKey, Grant, StreamKeyHash> grants_{&memory_};  // of this turn
  event::Deferred grants_end_;
  bool is_calling_ = false;  // a source, which submits nothing then
  bool draining_ = false;
};

}  // namespace sluice::ledger
