#include "ledger/ledger.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <utility>

#include "base/log.h"
#include "client/server.h"
#include "ledger/reply_builder.h"

namespace sluice::ledger {

namespace {

/// How many requests a client whose turn has come may hand in, if there is room. One by one each
/// would cost a read and a write of its own.
constexpr unsigned kRequestsInTurn = 32;

}  // namespace

using protocol::ErrorKind;
using protocol::Published;
using protocol::Reply;

Ledger::Ledger(event::Loop& loop)
    : loop_(loop), router_({}), timer_(loop, bind<&Ledger::on_deadline>(this)) {}

Ledger::~Ledger() {
  while (!free_.empty())
    free_.pop_front();
}

void Ledger::connect(client::Server& server, const std::vector<mqtt::Pool*>& pools, Router router) {
  server_ = &server;
  reroute(pools, std::move(router));
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
}

/// One past the last for a broker that has no lane.
std::size_t Ledger::place_of(const mqtt::Pool& pool) const noexcept {
  const auto found = std::find_if(lanes_.begin(), lanes_.end(),
                                  [&](const auto& lane) { return lane->pool == &pool; });
  return static_cast<std::size_t>(found - lanes_.begin());
}

void Ledger::drop(const mqtt::Pool& pool) noexcept {
  assert(is_done_with(pool));
  lanes_.erase(lanes_.begin() + static_cast<std::ptrdiff_t>(place_of(pool)));
}

void Ledger::reset_counters(const mqtt::Pool& pool) noexcept {
  lanes_[place_of(pool)]->counters = {};
}

// --- in: from a client to its brokers
// -------------------------------------------------------------

Ledger::Taken Ledger::submit(client::ReplyTo reply_to, protocol::Request request) noexcept {
  Entry& entry = take_entry();
  entry.request = std::move(request);
  entry.reply_to = reply_to;
  entry.received = loop_.precise_now();
  // The loop's own time is that of the turn's begin, before the request was read.
  const TimePoint read_at(std::chrono::ceil<Duration>(entry.received));
  deadlines_.insert(entry, read_at + Duration(entry.request.timeout_ms));
  if (draining_) {
    answer_unrouted(entry, ErrorKind::ShuttingDown, "sluice is stopping; send it to the next one");
    return Taken::Accepted;
  }
  prepare(entry, router_.route(entry.request.device_id));
  if (entry.brokers == 0) {
    answer_unrouted(entry, ErrorKind::NoRoute,
                    fmt::format("no broker's range holds device {}", entry.request.device_id));
    return Taken::Accepted;
  }
  Refusal refusal;
  const Verdict verdict = admit(entry, has_turn(entry), refusal);
  if (verdict == Verdict::Answered) return Taken::Accepted;
  if (verdict == Verdict::Refused) park(entry, refusal);
  arm();
  return verdict == Verdict::Refused ? Taken::Parked : Taken::Accepted;
}

Entry& Ledger::take_entry() {
  if (free_.empty()) {
    entries_.push_back(std::make_unique<Entry>());
    return *entries_.back();
  }
  return free_.pop_front();
}

void Ledger::prepare(Entry& entry, std::span<const std::size_t> brokers) {
  if (entry.capacity < brokers.size()) {
    entry.parts = std::make_unique<Part[]>(brokers.size());
    entry.capacity = brokers.size();
  }
  entry.brokers = brokers.size();
  for (std::size_t i = 0; i < brokers.size(); ++i) {
    Part& part = entry.parts[i];
    part.entry = &entry;
    part.lane = lanes_[brokers[i]].get();
    ++part.lane->parts;
    part.set_request(entry.request);
  }
}

/// The request comes from the client that is being served, and for the broker that has the room.
bool Ledger::has_turn(const Entry& entry) const noexcept {
  return served_at_ != nullptr && entry.reply_to.client == served_ && entry.brokers == 1 &&
         entry.parts[0].lane == served_at_;
}

/// `in_turn`: called for the client whose turn it is; others wait behind those who wait already.
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
    if (admission != mqtt::Admission::Welcome && refusal.lane == nullptr)
      refusal = {&lane, admission};
  }
  if (refusal.lane != nullptr) return Verdict::Refused;
  for (Part& part : entry.used())
    part.lane->pool->accept(part);
  return Verdict::Accepted;
}

/// What one broker would refuse is sent to none.
bool Ledger::refuse_beforehand(Entry& entry) noexcept {
  for (Part& part : entry.used()) {
    if (auto refusal = part.lane->pool->refusal_of(part)) {
      part.finish(std::move(*refusal));
      count(part);
      answer(entry, reply_of(part));
      return true;
    }
  }
  return false;
}

// --- parked clients
// -------------------------------------------------------------------------------

void Ledger::park(Entry& entry, const Refusal& refusal) noexcept {
  refusal.lane->pool->wait(entry, entry.request, refusal.why);
  entry.parked_at = refusal.lane;
  const std::size_t index = entry.reply_to.client.index;
  if (parked_by_client_.size() <= index) parked_by_client_.resize(index + 1);
  parked_by_client_[index] = &entry;
}

void Ledger::unpark(Entry& entry) noexcept {
  entry.parked_at->pool->stop_waiting(entry);
  entry.parked_at = nullptr;
  parked_by_client_[entry.reply_to.client.index] = nullptr;
}

void Ledger::on_room(mqtt::Waiter& waiter) noexcept {
  Entry& entry = static_cast<Entry&>(waiter);
  Lane& lane = *entry.parked_at;
  const client::ClientId client = entry.reply_to.client;
  unpark(entry);
  Refusal refusal;
  if (admit(entry, /*in_turn=*/true, refusal) == Verdict::Refused) {
    park(entry, refusal);  // another of its brokers has no room
  } else {
    serve(client, lane);
  }
}

/// A request for several brokers waits at one of them; those at `pool` itself are looked at there.
void Ledger::on_dead(mqtt::Pool& pool) noexcept {
  for (std::size_t index = 0; index < parked_by_client_.size(); ++index) {
    Entry* entry = parked_by_client_[index];
    if (entry == nullptr || entry->parked_at->pool == &pool) continue;
    const auto parts = entry->used();
    const bool is_refused = std::any_of(parts.begin(), parts.end(), [&](const Part& part) {
      return part.lane->pool == &pool &&
             pool.admission(entry->request, /*in_turn=*/true) == mqtt::Admission::Dead;
    });
    if (is_refused) on_room(*entry);
  }
}

/// Its parked request is in, or answered: it may go on, and hand in some more in the same turn.
void Ledger::serve(client::ClientId client, Lane& lane) noexcept {
  served_ = client;
  served_at_ = &lane;
  server_->resume(client);
  server_->take_turn(client, kRequestsInTurn - 1);  // after the one that was parked
  served_at_ = nullptr;
}

void Ledger::forget(client::ClientId client) noexcept {
  if (client.index >= parked_by_client_.size()) return;
  Entry* entry = parked_by_client_[client.index];
  if (entry == nullptr || !(entry->reply_to.client == client)) return;
  unpark(*entry);
  deadlines_.remove(*entry);
  recycle(*entry);
}

const mqtt::Pool* Ledger::awaited_by(client::ClientId client) const noexcept {
  if (client.index >= parked_by_client_.size()) return nullptr;
  const Entry* entry = parked_by_client_[client.index];
  if (entry == nullptr || !(entry->reply_to.client == client)) return nullptr;
  return entry->parked_at->pool;
}

// --- out: from the brokers to the client
// ----------------------------------------------------------

void Ledger::on_done(mqtt::Delivery& delivery) noexcept {
  Part& part = static_cast<Part&>(delivery);
  Entry& entry = *part.entry;
  if (entry.answered) {
    if (!entry.is_held()) recycle(entry);
    return;
  }
  count(part);
  if (entry.is_settled()) answer(entry, reply_of(entry));
}

/// Counts where the broker stands, once per delivery: the only place that does. What one broker
/// says beforehand counts for that one alone; the others were not asked.
void Ledger::count(const Part& part) noexcept {
  count(part, is_ok(part), is_ok(part) ? ErrorKind{} : error_of(part));
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

/// The deadline has come: what is not settled is given up, and the client told how far it got.
void Ledger::expire(Entry& entry) noexcept {
  const bool was_parked = entry.parked_at != nullptr;
  const client::ClientId client = entry.reply_to.client;
  if (was_parked) unpark(entry);
  for (Part& part : entry.used()) {
    if (part.is_settled()) continue;
    part.lane->pool->give_up(part);
    count(part);
  }
  answer(entry, reply_of(entry));
  if (was_parked) server_->resume(client);
}

void Ledger::answer(Entry& entry, const Reply& reply) noexcept {
  assert(!entry.answered);
  entry.answered = true;
  if (entry.is_waiting()) deadlines_.remove(entry);
  log_answer(entry, reply);
  server_->reply(entry.reply_to, reply, entry.request.id());
  server_->reuse(std::exchange(entry.request, {}));
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
  log::debug(server_->about(entry.reply_to.client), "device {} topic {}: {} after {} us",
             entry.request.device_id, entry.request.topic(),
             reply.ok ? "ok" : to_string(reply.error), took.count());
}

}  // namespace sluice::ledger
