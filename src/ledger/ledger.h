// The ledger: takes each request, sends it to its brokers, and answers it exactly once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/deadline_queue.h"
#include "client/request_sink.h"
#include "event/loop.h"
#include "event/timer.h"
#include "ledger/counters.h"
#include "ledger/entry.h"
#include "ledger/router.h"
#include "mqtt/pool/pool.h"
#include "protocol/reply.h"

namespace sluice::client {
class Server;
}

namespace sluice::ledger {

/// One broker, seen from the ledger.
struct Lane {
  mqtt::Pool* pool = nullptr;
  BrokerCounters counters;
  std::size_t parts = 0;  ///< deliveries of requests in the ledger that are for this broker
};

/// What was still unanswered when the drain ran out.
struct Leftover {
  std::size_t timed_out = 0;    ///< had been handed to a connection
  std::size_t unavailable = 0;  ///< had not
};

/// A request is accepted by all its brokers or by none. Where one has no room it is parked: it
/// waits in that one's pool, and its client reads nothing until it is served, in turn. Not
/// thread-safe.
class Ledger final : public client::RequestSink, public mqtt::PoolEvents {
 public:
  explicit Ledger(event::Loop& loop);
  ~Ledger();
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  /// Before the first request: where replies go, and the brokers in the order of the routes.
  void connect(client::Server& server, const std::vector<mqtt::Pool*>& pools, Router router);
  /// Other routes, for requests from now on. Brokers to which none leads any more stay, behind the
  /// others, for the requests that they have.
  void reroute(const std::vector<mqtt::Pool*>& pools, Router router);
  const Lane& lane_of(const mqtt::Pool& pool) const noexcept { return *lanes_[place_of(pool)]; }
  /// No request is left that refers to this broker.
  bool is_done_with(const mqtt::Pool& pool) const noexcept { return lane_of(pool).parts == 0; }
  /// Forgets a broker without requests and without a route.
  void drop(const mqtt::Pool& pool) noexcept;
  /// The broker has got another name: its counters start anew.
  void reset_counters(const mqtt::Pool& pool) noexcept;

  Taken submit(client::ReplyTo reply_to, protocol::Request request) noexcept override;
  void forget(client::ClientId client) noexcept override;
  void on_done(mqtt::Delivery& delivery) noexcept override;
  void on_room(mqtt::Waiter& waiter) noexcept override;
  void on_dead(mqtt::Pool& pool) noexcept override;

  /// From now on every new request is answered `shutting_down`.
  void drain() noexcept { draining_ = true; }
  /// Nothing is unanswered.
  bool is_idle() const noexcept { return deadlines_.empty(); }
  /// For the operator, in the order of the configuration; then brokers that are leaving.
  const std::vector<std::unique_ptr<Lane>>& lanes() const noexcept { return lanes_; }
  /// Requests answered here that went to no broker.
  const ResultCounters& unrouted() const noexcept { return unrouted_; }
  /// The broker for whose room this client waits; nullptr: none.
  const mqtt::Pool* awaited_by(client::ClientId client) const noexcept;

  /// Answers everything that is left as if its deadline had come.
  Leftover give_up_all() noexcept;

 private:
  enum class Verdict { Accepted, Answered, Refused };
  /// The first broker that has no room, and how it said so.
  struct Refusal {
    Lane* lane = nullptr;
    mqtt::Admission why = mqtt::Admission::Welcome;
  };

  std::size_t place_of(const mqtt::Pool& pool) const noexcept;
  Entry& take_entry();
  void prepare(Entry& entry, std::span<const std::size_t> brokers);
  Verdict admit(Entry& entry, bool in_turn, Refusal& refusal) noexcept;
  bool has_turn(const Entry& entry) const noexcept;
  bool refuse_beforehand(Entry& entry) noexcept;
  void park(Entry& entry, const Refusal& refusal) noexcept;
  void unpark(Entry& entry) noexcept;
  void serve(client::ClientId client, Lane& lane) noexcept;
  void expire(Entry& entry) noexcept;
  void answer_unrouted(Entry& entry, protocol::ErrorKind error, std::string detail) noexcept;
  void count(const Part& part) noexcept;
  void count(const Part& part, bool ok, protocol::ErrorKind error) noexcept;
  void answer(Entry& entry, const protocol::Reply& reply) noexcept;
  void recycle(Entry& entry) noexcept;
  void arm() noexcept;
  void on_deadline() noexcept;
  void log_answer(const Entry& entry, const protocol::Reply& reply) noexcept;

  event::Loop& loop_;
  client::Server* server_ = nullptr;
  std::vector<std::unique_ptr<Lane>> lanes_;
  Router router_;
  ResultCounters unrouted_;
  DeadlineQueue<Entry> deadlines_;  // every unanswered request: the one clock for all of them
  event::Timer timer_;
  TimePoint armed_for_ = TimePoint::max();
  std::vector<std::unique_ptr<Entry>> entries_;  // owns all of them
  List<Entry> free_;  // linked while neither in use nor parked; takes no memory of its own
  std::vector<Entry*> parked_by_client_;  // at most one each, by the client's index
  client::ClientId served_;               // whose turn it is, while served_at_ is set
  Lane* served_at_ = nullptr;
  bool draining_ = false;
};

}  // namespace sluice::ledger
