// The ledger: takes each request, sends it to its brokers, and answers it exactly once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/deadline_queue.h"
#include "ledger/counters.h"
#include "ledger/router.h"
#include "ledger/ticket.h"
#include "client/request_sink.h"
#include "event/loop.h"
#include "event/timer.h"
#include "mqtt/pool/pool.h"
#include "protocol/reply.h"

namespace sluice::client {
class Server;
}

namespace sluice::bridge {

/// One broker, seen from the ledger.
struct Lane {
  mqtt::Pool* pool = nullptr;
  BrokerCounters counters;
  std::size_t copies = 0;  ///< of all requests in the ledger, those for this broker
};

/// What was still unanswered when the drain ran out.
struct Leftover {
  std::size_t timed_out = 0;    ///< had been handed to a connection
  std::size_t unavailable = 0;  ///< had not
};

/// A request is accepted by all its brokers or by none. Where one has no room it is parked: it
/// waits in that one's pool, and its client reads nothing until it is served, in turn. Not
/// thread-safe.
class Dispatcher final : public client::RequestSink, public mqtt::PoolEvents {
 public:
  explicit Dispatcher(event::Loop& loop);
  ~Dispatcher();
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;

  /// Before the first request: where replies go, and the brokers in the order of the routes.
  void connect(client::Server& server, const std::vector<mqtt::Pool*>& pools, Router router);
  /// Other routes, for requests from now on. Brokers to which none leads any more stay, behind the
  /// others, for the requests that they have.
  void reroute(const std::vector<mqtt::Pool*>& pools, Router router);
  const Lane& lane_of(const mqtt::Pool& pool) const noexcept { return *lanes_[place_of(pool)]; }
  /// No request is left that refers to this broker.
  bool is_done_with(const mqtt::Pool& pool) const noexcept { return lane_of(pool).copies == 0; }
  /// Forgets a broker without requests and without a route.
  void drop(const mqtt::Pool& pool) noexcept;
  /// The broker has got another name: its counters start anew.
  void reset_counters(const mqtt::Pool& pool) noexcept;

  Taken submit(client::ReplyTo reply_to, protocol::Request request) noexcept override;
  void forget(client::ClientId client) noexcept override;
  void on_message_done(mqtt::Message& message, const mqtt::Outcome& outcome) noexcept override;
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
  Ticket& take_ticket();
  void prepare(Ticket& ticket, std::span<const std::size_t> brokers);
  Verdict admit(Ticket& ticket, bool in_turn, Refusal& refusal) noexcept;
  bool has_turn(const Ticket& ticket) const noexcept;
  bool refuse_beforehand(Ticket& ticket) noexcept;
  void park(Ticket& ticket, const Refusal& refusal) noexcept;
  void unpark(Ticket& ticket) noexcept;
  void serve(client::ClientId client, Lane& lane) noexcept;
  void expire(Ticket& ticket) noexcept;
  void answer_unrouted(Ticket& ticket, protocol::ErrorKind error, std::string detail) noexcept;
  void count(const Copy& copy, bool ok, protocol::ErrorKind error) noexcept;
  void settle(Copy& copy, CopyResult result) noexcept;
  void settle_when_complete(Ticket& ticket) noexcept;
  void answer(Ticket& ticket, const protocol::Reply& reply) noexcept;
  void recycle(Ticket& ticket) noexcept;
  void arm() noexcept;
  void on_deadline() noexcept;
  void log_answer(const Ticket& ticket, const protocol::Reply& reply) noexcept;

  event::Loop& loop_;
  client::Server* server_ = nullptr;
  std::vector<std::unique_ptr<Lane>> lanes_;
  Router router_;
  ResultCounters unrouted_;
  DeadlineQueue<Ticket> deadlines_;  // every unanswered request: the one clock for all of them
  event::Timer timer_;
  TimePoint armed_for_ = TimePoint::max();
  std::vector<std::unique_ptr<Ticket>> tickets_;  // owns all of them
  List<Ticket> free_;  // linked while neither in use nor parked; takes no memory of its own
  std::vector<Ticket*> parked_by_client_;  // at most one each, by the client's index
  client::ClientId served_;                // whose turn it is, while served_at_ is set
  Lane* served_at_ = nullptr;
  bool draining_ = false;
};

}  // namespace sluice::bridge
