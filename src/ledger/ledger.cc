#include "ledger/ledger.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <utility>

#include "base/log.h"
#include "ledger/reply_builder.h"

namespace sluice::ledger {

using protocol::ErrorKind;
using protocol::Published;
using protocol::Reply;

Ledger::Ledger(event::Loop& loop)
    : loop_(loop),
      router_({}),
      failure_timer_(loop, bind<&Ledger::log_failures>(this)),
      overdue_timer_(loop, bind<&Ledger::on_overdue>(this), event::Lateness::AtOnce),
      timer_(loop, bind<&Ledger::on_deadline>(this)),
      grants_end_(loop, bind<&Ledger::end_grants>(this)) {
  failure_timer_.unref();
}

Ledger::~Ledger() {
  while (!free_.empty())
    free_.pop_front();
}

void Ledger::reroute(const std::vector<mqtt::Pool*>& pools, Router router) {
  router_ = std::move(router);
  std::vector<std::unique_ptr<BrokerLane>> lanes;
  for (mqtt::Pool* pool : pools) {
    const std::size_t index = index_of(*pool);
    const bool is_new = index == lanes_.size();
    lanes.push_back(is_new ? std::make_unique<BrokerLane>() : std::move(lanes_[index]));
    lanes.back()->pool = pool;
    if (!is_new) lanes_.erase(lanes_.begin() + static_cast<std::ptrdiff_t>(index));
  }
  for (auto& leaving : lanes_)
    lanes.push_back(std::move(leaving));
  lanes_ = std::move(lanes);
  routed_ = pools.size();
}

/// The index of the pool's lane; lanes_.size() if it has none.
std::size_t Ledger::index_of(const mqtt::Pool& pool) const noexcept {
  const auto found = std::find_if(lanes_.begin(), lanes_.end(),
                                  [&](const auto& lane) { return lane->pool == &pool; });
  return static_cast<std::size_t>(found - lanes_.begin());
}

void Ledger::drop(const mqtt::Pool& pool) noexcept {
  assert(is_done_with(pool) && index_of(pool) >= routed_);
  end_grants();
  lanes_[index_of(pool)]->failures.finish(loop_.now(), log::Subject::broker(pool.name()));
  lanes_.erase(lanes_.begin() + static_cast<std::ptrdiff_t>(index_of(pool)));
}

void Ledger::reset_counters(const mqtt::Pool& pool) noexcept {
  lanes_[index_of(pool)]->counters = {};
}

// --- in: from a source to the brokers

Taken Ledger::submit(const Origin& origin, protocol::Request& request,
                     const Terms& terms) noexcept {
  assert(!is_calling_);
  PendingRequest& pending = take_pending();
  pending.request = std::move(request);
  pending.origin = origin;
  pending.received = terms.received;
  deadlines_.insert(pending, terms.deadline.value_or(TimePoint::max()));
  if (draining_) {
    answer_unrouted(pending, ErrorKind::ShuttingDown, "shutting down; retry on another instance");
    return Taken::Settled;
  }
  if (!route(pending, terms.broker)) return Taken::Settled;
  Refusal refusal;
  switch (admit(pending, use_grant(pending), refusal)) {
    case AdmitResult::Answered:
      return Taken::Settled;
    case AdmitResult::Accepted:
      arm();
      return Taken::Accepted;
    case AdmitResult::Refused:
      break;
  }
  if (terms.when_full == WhenFull::Refuse) {
    request = std::move(pending.request);
    deadlines_.remove(pending);
    recycle(pending);
    return Taken::Full;
  }
  begin_wait(pending, refusal);
  arm();
  return Taken::Waits;
}

/// False: the request has no broker and is answered.
bool Ledger::route(PendingRequest& pending, std::string_view broker) noexcept {
  if (broker.empty()) {
    prepare(pending, router_.route(pending.request.device_id));
    if (pending.brokers > 0) return true;
    answer_unrouted(pending, ErrorKind::NoRoute, describe_no_route(pending.request.device_id));
    return false;
  }
  for (std::size_t index = 0; index < routed_; ++index) {
    if (lanes_[index]->pool->name() != broker) continue;
    prepare(pending, {&index, 1});
    return true;
  }
  answer_unrouted(pending, ErrorKind::NoRoute, fmt::format("there is no broker {}", broker));
  return false;
}

PendingRequest& Ledger::take_pending() {
  if (free_.empty()) {
    requests_.push_back(std::make_unique<PendingRequest>());
    return *requests_.back();
  }
  return free_.pop_front();
}

void Ledger::prepare(PendingRequest& pending, std::span<const std::size_t> brokers) {
  pending.set_brokers(brokers.size());
  const std::size_t* broker = brokers.data();
  for (BrokerDelivery& delivery : pending.deliveries()) {
    delivery.pending = &pending;
    delivery.lane = lanes_[*broker++].get();
    ++delivery.lane->deliveries;
    delivery.set_request(pending.request);
  }
}

/// `in_turn`: the request has waited, and its turn has come. Others queue behind those that wait.
Ledger::AdmitResult Ledger::admit(PendingRequest& pending, bool in_turn,
                                  Refusal& refusal) noexcept {
  if (refuse_beforehand(pending)) return AdmitResult::Answered;
  for (BrokerDelivery& delivery : pending.deliveries()) {
    BrokerLane& lane = *delivery.lane;
    const mqtt::Admission admission = lane.pool->admission(pending.request, in_turn);
    if (admission == mqtt::Admission::Dead) {
      count(delivery, false, ErrorKind::BrokerUnavailable);
      const char* why =
          lane.pool->is_refusing() ? "; not queued (when_dead = refuse)" : "; its queue is full";
      answer(pending, Reply::failure(ErrorKind::BrokerUnavailable, Published::No,
                                     lane.pool->describe_outage() + why));
      return AdmitResult::Answered;
    }
    if (admission != mqtt::Admission::Accept && refusal.lane == nullptr)
      refusal = {&lane, admission};
  }
  if (refusal.lane != nullptr) return AdmitResult::Refused;
  for (BrokerDelivery& delivery : pending.deliveries())
    delivery.lane->pool->accept(delivery);
  // accept() may refuse it after all, for another connection than refusal_of() asked. Then the
  // request is answered and recycled already.
  return pending.brokers == 0 ? AdmitResult::Answered : AdmitResult::Accepted;
}

/// If one broker would refuse the request, it is sent to none.
bool Ledger::refuse_beforehand(PendingRequest& pending) noexcept {
  for (BrokerDelivery& delivery : pending.deliveries()) {
    if (auto refusal = delivery.lane->pool->refusal_of(delivery)) {
      delivery.finish(std::move(*refusal));
      report(delivery);
      answer(pending, reply_of(delivery));
      return true;
    }
  }
  return false;
}

// --- out: from the brokers to the source

void Ledger::on_done(mqtt::Delivery& done) noexcept {
  BrokerDelivery& delivery = static_cast<BrokerDelivery&>(done);
  PendingRequest& pending = *delivery.pending;
  if (pending.answered) {
    if (!pending.is_held()) recycle(pending);
    return;
  }
  if (!delivery.is_abandoned()) report(delivery);  // else withdraw() has
  if (pending.is_settled()) answer(pending, reply_of(pending));
}

void Ledger::count(const BrokerDelivery& delivery, bool ok, ErrorKind error) noexcept {
  BrokerCounters& counters = delivery.lane->counters;
  if (ok) {
    counters.results.count_ok();
  } else {
    counters.results.count(error);
    note_failure(delivery, error);
  }
  counters.latency.observe(loop_.precise_now() - delivery.pending->received);
}

/// Counts and reports a settled delivery. A refusal beforehand counts for that broker alone; the
/// others were not asked.
void Ledger::report(const BrokerDelivery& delivery) noexcept {
  count(delivery, is_ok(delivery), is_ok(delivery) ? ErrorKind{} : error_of(delivery));
  const Origin& origin = delivery.pending->origin;
  is_calling_ = true;
  origin.source->delivered(origin, delivery.lane->pool->name(), delivery.outcome);
  is_calling_ = false;
}

/// At the deadline: gives up what is not settled. The reply says how far it got.
void Ledger::expire(PendingRequest& pending) noexcept {
  const Origin origin = pending.origin;
  const bool waited = pending.waits_at != nullptr;
  if (waited) end_wait(pending);
  for (BrokerDelivery& delivery : pending.deliveries()) {
    if (delivery.is_settled()) continue;
    delivery.lane->pool->give_up(delivery);
    report(delivery);
  }
  answer(pending, reply_of(pending));
  if (waited) call_grant(origin, 0);
}

void Ledger::answer(PendingRequest& pending, const Reply& reply) noexcept {
  assert(!pending.answered);
  pending.answered = true;
  if (pending.is_waiting()) deadlines_.remove(pending);
  log_answer(pending, reply);
  is_calling_ = true;
  pending.origin.source->settled(pending.origin, reply, std::move(pending.request));
  is_calling_ = false;
  if (!pending.is_held()) recycle(pending);
}

void Ledger::answer_unrouted(PendingRequest& pending, ErrorKind error,
                             std::string detail) noexcept {
  unrouted_.count(error);
  if (error == ErrorKind::NoRoute && unrouted_failures_.count(error))
    unrouted_failures_.set_example(error, pending.request, detail);
  if (unrouted_failures_.is_going_on() && !failure_timer_.is_active())
    failure_timer_.start(FailureLog::kWindow);
  answer(pending, Reply::failure(error, Published::No, std::move(detail)));
}

void Ledger::recycle(PendingRequest& pending) noexcept {
  for (BrokerDelivery& delivery : pending.deliveries()) {
    --delivery.lane->deliveries;
    delivery.reset();
  }
  pending.brokers = 0;
  pending.answered = false;
  free_.push_front(pending);
}

// --- the clock

void Ledger::arm() noexcept {
  const TimePoint next = deadlines_.earliest();
  if (next == TimePoint::max()) return;
  for (event::Timer* timer : {&overdue_timer_, &timer_}) {
    if (!timer->is_active() || timer->due() > next) timer->start(next - loop_.now());
  }
}

void Ledger::on_overdue() noexcept {
  while (PendingRequest* due = deadlines_.note_overdue(loop_.now()))
    withdraw(*due);
  arm();
}

/// The deadline has passed: it is handed to no connection any more. If a connection has it already,
/// the answer waits for the input, in which its acknowledgement may be.
void Ledger::withdraw(PendingRequest& pending) noexcept {
  const auto is_in_flight = [](const BrokerDelivery& delivery) {
    return delivery.state() == mqtt::State::InFlight;
  };
  const auto deliveries = pending.deliveries();
  if (std::none_of(deliveries.begin(), deliveries.end(), is_in_flight)) {
    expire(pending);
    return;
  }
  for (BrokerDelivery& delivery : deliveries) {
    if (delivery.is_settled() || is_in_flight(delivery)) continue;
    delivery.lane->pool->give_up(delivery);
    report(delivery);
  }
}

void Ledger::on_deadline() noexcept {
  while (PendingRequest* due = deadlines_.pop_due(loop_.now()))
    expire(*due);
  arm();
}

Leftover Ledger::give_up_all() noexcept {
  Leftover leftover;
  while (PendingRequest* pending = deadlines_.pop_due(TimePoint::max())) {
    const auto deliveries = pending->deliveries();
    const bool handed_over =
        std::any_of(deliveries.begin(), deliveries.end(),
                    [](const BrokerDelivery& delivery) { return delivery.handed_over; });
    ++(handed_over ? leftover.timed_out : leftover.unavailable);
    expire(*pending);
  }
  return leftover;
}

void Ledger::log_answer(const PendingRequest& pending, const Reply& reply) noexcept {
  if (!log::is_enabled(log::Level::Debug)) return;
  const auto took =
      std::chrono::duration_cast<std::chrono::microseconds>(loop_.precise_now() - pending.received);
  log::debug(pending.origin.source->about(pending.origin), "device {} topic {}: {} after {} us",
             pending.request.device_id, pending.request.topic(),
             reply.ok ? "ok" : to_string(reply.error), took.count());
}

}  // namespace sluice::ledger
