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
      timer_(loop, bind<&Ledger::on_deadline>(this)),
      grants_end_(loop, bind<&Ledger::end_grants>(this)) {}

Ledger::~Ledger() {
  while (!free_.empty())
    free_.pop_front();
}

void Ledger::reroute(const std::vector<mqtt::Pool*>& pools, Router router) {
  router_ = std::move(router);
  std::vector<std::unique_ptr<Lane>> lanes;
  for (mqtt::Pool* pool : pools) {
    const std::size_t place = place_of(*pool);
    const bool is_new = place == lanes_.size();
    lanes.push_back(is_new ? std::make_unique<Lane>() : std::move(lanes_[place]));
    lanes.back()->pool = pool;
    if (!is_new) lanes_.erase(lanes_.begin() + static_cast<std::ptrdiff_t>(place));
  }
  for (auto& leaving : lanes_)
    lanes.push_back(std::move(leaving));
  lanes_ = std::move(lanes);
  routed_ = pools.size();
}

/// One past the last for a broker that has no lane.
std::size_t Ledger::place_of(const mqtt::Pool& pool) const noexcept {
  const auto found = std::find_if(lanes_.begin(), lanes_.end(),
                                  [&](const auto& lane) { return lane->pool == &pool; });
  return static_cast<std::size_t>(found - lanes_.begin());
}

void Ledger::drop(const mqtt::Pool& pool) noexcept {
  assert(is_done_with(pool) && place_of(pool) >= routed_);
  end_grants();
  lanes_.erase(lanes_.begin() + static_cast<std::ptrdiff_t>(place_of(pool)));
}

void Ledger::reset_counters(const mqtt::Pool& pool) noexcept {
  lanes_[place_of(pool)]->counters = {};
}

// --- in: from a source to the brokers
// -------------------------------------------------------------

Taken Ledger::submit(const Origin& origin, protocol::Request& request,
                     const Terms& terms) noexcept {
  assert(!is_calling_);
  Entry& entry = take_entry();
  entry.request = std::move(request);
  entry.origin = origin;
  entry.received = terms.received;
  deadlines_.insert(entry, terms.deadline.value_or(TimePoint::max()));
  if (draining_) {
    answer_unrouted(entry, ErrorKind::ShuttingDown, "sluice is stopping; send it to the next one");
    return Taken::Settled;
  }
  if (!route(entry, terms.broker)) return Taken::Settled;
  Refusal refusal;
  switch (admit(entry, use_grant(entry), refusal)) {
    case Verdict::Answered:
      return Taken::Settled;
    case Verdict::Accepted:
      arm();
      return Taken::Accepted;
    case Verdict::Refused:
      break;
  }
  if (terms.when_full == WhenFull::Refuse) {
    request = std::move(entry.request);
    deadlines_.remove(entry);
    recycle(entry);
    return Taken::Full;
  }
  begin_wait(entry, refusal);
  arm();
  return Taken::Waits;
}

/// False: it leads to no broker, and is answered.
bool Ledger::route(Entry& entry, std::string_view broker) noexcept {
  if (broker.empty()) {
    prepare(entry, router_.route(entry.request.device_id));
    if (entry.brokers > 0) return true;
    answer_unrouted(entry, ErrorKind::NoRoute,
                    fmt::format("no broker's range holds device {}", entry.request.device_id));
    return false;
  }
  for (std::size_t place = 0; place < routed_; ++place) {
    if (lanes_[place]->pool->name() != broker) continue;
    prepare(entry, {&place, 1});
    return true;
  }
  answer_unrouted(entry, ErrorKind::NoRoute, fmt::format("there is no broker {}", broker));
  return false;
}

Entry& Ledger::take_entry() {
  if (free_.empty()) {
    entries_.push_back(std::make_unique<Entry>());
    return *entries_.back();
  }
  return free_.pop_front();
}

void Ledger::prepare(Entry& entry, std::span<const std::size_t> brokers) {
  entry.set_brokers(brokers.size());
  const std::size_t* broker = brokers.data();
  for (Part& part : entry.used()) {
    part.entry = &entry;
    part.lane = lanes_[*broker++].get();
    ++part.lane->parts;
    part.set_request(entry.request);
  }
}

/// `in_turn`: its origin's turn has come; others wait behind those that wait already.
Ledger::Verdict Ledger::admit(Entry& entry, bool in_turn, Refusal& refusal) noexcept {
  if (refuse_beforehand(entry)) return Verdict::Answered;
  for (Part& part : entry.used()) {
    Lane& lane = *part.lane;
    const mqtt::Admission admission = lane.pool->admission(entry.request, in_turn);
    if (admission == mqtt::Admission::Dead) {
      count(part, false, ErrorKind::BrokerUnavailable);
      answer(entry, Reply::failure(
                        ErrorKind::BrokerUnavailable, Published::No,
                        fmt::format("broker {} is down and its queue is full", lane.pool->name())));
      return Verdict::Answered;
    }
    if (admission != mqtt::Admission::Accept && refusal.lane == nullptr)
      refusal = {&lane, admission};
  }
  if (refusal.lane != nullptr) return Verdict::Refused;
  for (Part& part : entry.used())
    part.lane->pool->accept(part);
  // A broker may refuse it at once, by another connection than the one that was asked before: then
  // the entry is used up already.
  return entry.brokers == 0 ? Verdict::Answered : Verdict::Accepted;
}

/// What one broker would refuse is sent to none.
bool Ledger::refuse_beforehand(Entry& entry) noexcept {
  for (Part& part : entry.used()) {
    if (auto refusal = part.lane->pool->refusal_of(part)) {
      part.finish(std::move(*refusal));
      report(part);
      answer(entry, reply_of(part));
      return true;
    }
  }
  return false;
}

// --- out: from the brokers to the source
// ----------------------------------------------------------

void Ledger::on_done(mqtt::Delivery& delivery) noexcept {
  Part& part = static_cast<Part&>(delivery);
  Entry& entry = *part.entry;
  if (entry.answered) {
    if (!entry.is_held()) recycle(entry);
    return;
  }
  report(part);
  if (entry.is_settled()) answer(entry, reply_of(entry));
}

void Ledger::count(const Part& part, bool ok, ErrorKind error) noexcept {
  BrokerCounters& counters = part.lane->counters;
  if (ok) {
    counters.results.count_ok();
  } else {
    counters.results.count(error);
  }
  counters.latency.observe(loop_.precise_now() - part.entry->received);
}

/// The delivery is settled: counts where the broker stands, once for each. What one broker says
/// beforehand counts for that one alone; the others were not asked.
void Ledger::report(const Part& part) noexcept {
  count(part, is_ok(part), is_ok(part) ? ErrorKind{} : error_of(part));
  const Origin& origin = part.entry->origin;
  is_calling_ = true;
  origin.source->delivered(origin, part.lane->pool->name(), part.outcome);
  is_calling_ = false;
}

/// The deadline has come: what is not settled is given up, and the answer says how far it got.
void Ledger::expire(Entry& entry) noexcept {
  const Origin origin = entry.origin;
  const bool waited = entry.waits_at != nullptr;
  if (waited) end_wait(entry);
  for (Part& part : entry.used()) {
    if (part.is_settled()) continue;
    part.lane->pool->give_up(part);
    report(part);
  }
  answer(entry, reply_of(entry));
  if (waited) call_grant(origin, 0);
}

void Ledger::answer(Entry& entry, const Reply& reply) noexcept {
  assert(!entry.answered);
  entry.answered = true;
  if (entry.is_waiting()) deadlines_.remove(entry);
  log_answer(entry, reply);
  is_calling_ = true;
  entry.origin.source->settled(entry.origin, reply, std::move(entry.request));
  is_calling_ = false;
  if (!entry.is_held()) recycle(entry);
}

void Ledger::answer_unrouted(Entry& entry, ErrorKind error, std::string detail) noexcept {
  unrouted_.count(error);
  answer(entry, Reply::failure(error, Published::No, std::move(detail)));
}

void Ledger::recycle(Entry& entry) noexcept {
  for (Part& part : entry.used()) {
    --part.lane->parts;
    part.reset();
  }
  entry.brokers = 0;
  entry.answered = false;
  free_.push_front(entry);
}

// --- the clock
// ------------------------------------------------------------------------------------

void Ledger::arm() noexcept {
  if (deadlines_.empty() || deadlines_.earliest() >= armed_for_) return;
  armed_for_ = deadlines_.earliest();
  timer_.start(armed_for_ - loop_.now());
}

void Ledger::on_deadline() noexcept {
  armed_for_ = TimePoint::max();
  while (Entry* due = deadlines_.pop_due(loop_.now()))
    expire(*due);
  arm();
}

Leftover Ledger::give_up_all() noexcept {
  Leftover leftover;
  while (Entry* entry = deadlines_.pop_due(TimePoint::max())) {
    const auto parts = entry->used();
    const bool handed_over =
        std::any_of(parts.begin(), parts.end(), [](const Part& part) { return part.handed_over; });
    ++(handed_over ? leftover.timed_out : leftover.unavailable);
    expire(*entry);
  }
  return leftover;
}

void Ledger::log_answer(const Entry& entry, const Reply& reply) noexcept {
  if (!log::is_enabled(log::Level::Debug)) return;
  const auto took =
      std::chrono::duration_cast<std::chrono::microseconds>(loop_.precise_now() - entry.received);
  log::debug(entry.origin.source->about(entry.origin), "device {} topic {}: {} after {} us",
             entry.request.device_id, entry.request.topic(),
             reply.ok ? "ok" : to_string(reply.error), took.count());
}

}  // namespace sluice::ledger
