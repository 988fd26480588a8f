#include "ledger/dispatcher.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <utility>

#include "base/log.h"
#include "ledger/verdict.h"
#include "client/server.h"

namespace sluice::bridge {

namespace {

/// How many requests a client whose turn has come may hand in, if there is room. One by one each
/// would cost a read and a write of its own.
constexpr unsigned kRequestsInTurn = 32;

}  // namespace

using protocol::ErrorKind;
using protocol::Published;
using protocol::Reply;

Dispatcher::Dispatcher(event::Loop& loop)
    : loop_(loop), router_({}), timer_(loop, bind<&Dispatcher::on_deadline>(this)) {}

Dispatcher::~Dispatcher() {
  while (!free_.empty())
    free_.pop_front();
}

void Dispatcher::connect(client::Server& server, const std::vector<mqtt::Pool*>& pools,
                         Router router) {
  server_ = &server;
  reroute(pools, std::move(router));
}

void Dispatcher::reroute(const std::vector<mqtt::Pool*>& pools, Router router) {
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
std::size_t Dispatcher::place_of(const mqtt::Pool& pool) const noexcept {
  const auto found = std::find_if(lanes_.begin(), lanes_.end(),
                                  [&](const auto& lane) { return lane->pool == &pool; });
  return static_cast<std::size_t>(found - lanes_.begin());
}

void Dispatcher::drop(const mqtt::Pool& pool) noexcept {
  assert(is_done_with(pool));
  lanes_.erase(lanes_.begin() + static_cast<std::ptrdiff_t>(place_of(pool)));
}

void Dispatcher::reset_counters(const mqtt::Pool& pool) noexcept {
  lanes_[place_of(pool)]->counters = {};
}

// --- in: from a client to its brokers
// -------------------------------------------------------------

Dispatcher::Taken Dispatcher::submit(client::ReplyTo reply_to, protocol::Request request) noexcept {
  Ticket& ticket = take_ticket();
  ticket.request = std::move(request);
  ticket.reply_to = reply_to;
  ticket.received = loop_.precise_now();
  // The loop's own time is that of the turn's begin, before the request was read.
  const TimePoint read_at(std::chrono::ceil<Duration>(ticket.received));
  deadlines_.insert(ticket, read_at + Duration(ticket.request.timeout_ms));
  if (draining_) {
    answer_unrouted(ticket, ErrorKind::ShuttingDown, "sluice is stopping; send it to the next one");
    return Taken::Accepted;
  }
  prepare(ticket, router_.route(ticket.request.device_id));
  if (ticket.brokers == 0) {
    answer_unrouted(ticket, ErrorKind::NoRoute,
                    fmt::format("no broker's range holds device {}", ticket.request.device_id));
    return Taken::Accepted;
  }
  Refusal refusal;
  const Verdict verdict = admit(ticket, has_turn(ticket), refusal);
  if (verdict == Verdict::Answered) return Taken::Accepted;
  if (verdict == Verdict::Refused) park(ticket, refusal);
  arm();
  return verdict == Verdict::Refused ? Taken::Parked : Taken::Accepted;
}

Ticket& Dispatcher::take_ticket() {
  if (free_.empty()) {
    tickets_.push_back(std::make_unique<Ticket>());
    return *tickets_.back();
  }
  return free_.pop_front();
}

void Dispatcher::prepare(Ticket& ticket, std::span<const std::size_t> brokers) {
  if (ticket.capacity < brokers.size()) {
    ticket.copies = std::make_unique<Copy[]>(brokers.size());
    ticket.capacity = brokers.size();
  }
  ticket.brokers = brokers.size();
  for (std::size_t i = 0; i < brokers.size(); ++i) {
    Copy& copy = ticket.copies[i];
    copy.ticket = &ticket;
    copy.lane = lanes_[brokers[i]].get();
    ++copy.lane->copies;
    copy.request = &ticket.request;
  }
}

/// The request comes from the client that is being served, and for the broker that has the room.
bool Dispatcher::has_turn(const Ticket& ticket) const noexcept {
  return served_at_ != nullptr && ticket.reply_to.client == served_ && ticket.brokers == 1 &&
         ticket.copies[0].lane == served_at_;
}

/// `in_turn`: called for the client whose turn it is; others wait behind those who wait already.
Dispatcher::Verdict Dispatcher::admit(Ticket& ticket, bool in_turn, Refusal& refusal) noexcept {
  if (refuse_beforehand(ticket)) return Verdict::Answered;
  for (Copy& copy : ticket.used()) {
    Lane& lane = *copy.lane;
    const mqtt::Admission admission = lane.pool->admission(ticket.request, in_turn);
    if (admission == mqtt::Admission::Dead) {
      count(copy, false, ErrorKind::BrokerUnavailable);
      answer(ticket, Reply::failure(ErrorKind::BrokerUnavailable, Published::No,
                                    fmt::format("broker {} is down and its queue is full",
                                                lane.pool->name())));
      return Verdict::Answered;
    }
    if (admission != mqtt::Admission::Welcome && refusal.lane == nullptr)
      refusal = {&lane, admission};
  }
  if (refusal.lane != nullptr) return Verdict::Refused;
  for (Copy& copy : ticket.used()) {
    copy.held = true;
    copy.lane->pool->accept(copy);
  }
  return Verdict::Accepted;
}

/// What one broker would refuse is sent to none.
bool Dispatcher::refuse_beforehand(Ticket& ticket) noexcept {
  for (Copy& copy : ticket.used()) {
    if (const auto refusal = copy.lane->pool->announced_refusal(ticket.request)) {
      settle(copy, result_of(copy, *refusal));
      const CopyResult& result = copy.result;
      Reply reply = Reply::failure(result.error, result.published, result.detail);
      reply.reason_code = result.reason_code;
      answer(ticket, reply);
      return true;
    }
  }
  return false;
}

// --- parked clients
// -------------------------------------------------------------------------------

void Dispatcher::park(Ticket& ticket, const Refusal& refusal) noexcept {
  refusal.lane->pool->wait(ticket, ticket.request, refusal.why);
  ticket.parked_at = refusal.lane;
  const std::size_t index = ticket.reply_to.client.index;
  if (parked_by_client_.size() <= index) parked_by_client_.resize(index + 1);
  parked_by_client_[index] = &ticket;
}

void Dispatcher::unpark(Ticket& ticket) noexcept {
  ticket.parked_at->pool->stop_waiting(ticket);
  ticket.parked_at = nullptr;
  parked_by_client_[ticket.reply_to.client.index] = nullptr;
}

void Dispatcher::on_room(mqtt::Waiter& waiter) noexcept {
  Ticket& ticket = static_cast<Ticket&>(waiter);
  Lane& lane = *ticket.parked_at;
  const client::ClientId client = ticket.reply_to.client;
  unpark(ticket);
  Refusal refusal;
  if (admit(ticket, /*in_turn=*/true, refusal) == Verdict::Refused) {
    park(ticket, refusal);  // another of its brokers has no room
  } else {
    serve(client, lane);
  }
}

/// A request for several brokers waits at one of them; those at `pool` itself are looked at there.
void Dispatcher::on_dead(mqtt::Pool& pool) noexcept {
  for (std::size_t index = 0; index < parked_by_client_.size(); ++index) {
    Ticket* ticket = parked_by_client_[index];
    if (ticket == nullptr || ticket->parked_at->pool == &pool) continue;
    const auto copies = ticket->used();
    const bool is_refused = std::any_of(copies.begin(), copies.end(), [&](const Copy& copy) {
      return copy.lane->pool == &pool &&
             pool.admission(ticket->request, /*in_turn=*/true) == mqtt::Admission::Dead;
    });
    if (is_refused) on_room(*ticket);
  }
}

/// Its parked request is in, or answered: it may go on, and hand in some more in the same turn.
void Dispatcher::serve(client::ClientId client, Lane& lane) noexcept {
  served_ = client;
  served_at_ = &lane;
  server_->resume(client);
  server_->take_turn(client, kRequestsInTurn - 1);  // after the one that was parked
  served_at_ = nullptr;
}

void Dispatcher::forget(client::ClientId client) noexcept {
  if (client.index >= parked_by_client_.size()) return;
  Ticket* ticket = parked_by_client_[client.index];
  if (ticket == nullptr || !(ticket->reply_to.client == client)) return;
  unpark(*ticket);
  deadlines_.remove(*ticket);
  recycle(*ticket);
}

const mqtt::Pool* Dispatcher::awaited_by(client::ClientId client) const noexcept {
  if (client.index >= parked_by_client_.size()) return nullptr;
  const Ticket* ticket = parked_by_client_[client.index];
  if (ticket == nullptr || !(ticket->reply_to.client == client)) return nullptr;
  return ticket->parked_at->pool;
}

// --- out: from the brokers to the client
// ----------------------------------------------------------

void Dispatcher::on_message_done(mqtt::Message& message, const mqtt::Outcome& outcome) noexcept {
  Copy& copy = static_cast<Copy&>(message);
  Ticket& ticket = *copy.ticket;
  copy.held = false;
  if (ticket.answered) {
    if (!ticket.is_held()) recycle(ticket);
    return;
  }
  if (!copy.result.settled) settle(copy, result_of(copy, outcome));
  settle_when_complete(ticket);
}

/// Counts where the broker stands, once per copy: the only place that does. What one broker says
/// beforehand counts for that one alone; the others were not asked.
void Dispatcher::count(const Copy& copy, bool ok, ErrorKind error) noexcept {
  BrokerCounters& counters = copy.lane->counters;
  if (ok) {
    counters.results.count_ok();
  } else {
    counters.results.count(error);
  }
  counters.latency.observe(loop_.precise_now() - copy.ticket->received);
}

void Dispatcher::settle(Copy& copy, CopyResult result) noexcept {
  count(copy, result.ok, result.error);
  copy.result = std::move(result);
}

void Dispatcher::settle_when_complete(Ticket& ticket) noexcept {
  for (const Copy& copy : ticket.used()) {
    if (!copy.result.settled) return;
  }
  answer(ticket, reply_of(ticket));
}

/// The deadline has come: what is not settled is given up, and the client told how far it got.
void Dispatcher::expire(Ticket& ticket) noexcept {
  if (ticket.parked_at != nullptr) {
    const client::ClientId client = ticket.reply_to.client;
    unpark(ticket);
    for (Copy& copy : ticket.used())
      settle(copy, result_at_deadline(copy));
    answer(ticket, reply_of(ticket));
    server_->resume(client);
    return;
  }
  for (Copy& copy : ticket.used()) {
    if (copy.result.settled) continue;
    settle(copy, result_at_deadline(copy));
    copy.held = !copy.lane->pool->give_up(copy);
  }
  answer(ticket, reply_of(ticket));
}

void Dispatcher::answer(Ticket& ticket, const Reply& reply) noexcept {
  assert(!ticket.answered);
  ticket.answered = true;
  if (ticket.is_waiting()) deadlines_.remove(ticket);
  log_answer(ticket, reply);
  server_->reply(ticket.reply_to, reply, ticket.request.id());
  if (ticket.is_held()) {
    ticket.request.drop_texts();  // what a lost connection was given may stay for long
  } else {
    recycle(ticket);
  }
}

void Dispatcher::answer_unrouted(Ticket& ticket, ErrorKind error, std::string detail) noexcept {
  unrouted_.count(error);
  answer(ticket, Reply::failure(error, Published::No, std::move(detail)));
}

void Dispatcher::recycle(Ticket& ticket) noexcept {
  for (Copy& copy : ticket.used()) {
    --copy.lane->copies;
    copy.device = nullptr;
    copy.link = nullptr;
    copy.packet_id = 0;
    copy.oldest_deaths = 0;
    copy.lone_deaths = 0;
    copy.hang_up_code = 0;
    copy.handed_over = false;
    copy.sent_again = false;
    copy.answered = false;
    copy.held = false;
    copy.result = {};
  }
  server_->reuse(std::exchange(ticket.request, {}));
  ticket.brokers = 0;
  ticket.answered = false;
  free_.push_front(ticket);
}

// --- the clock
// ------------------------------------------------------------------------------------

void Dispatcher::arm() noexcept {
  if (deadlines_.empty() || deadlines_.earliest() >= armed_for_) return;
  armed_for_ = deadlines_.earliest();
  timer_.start(armed_for_ - loop_.now());
}

void Dispatcher::on_deadline() noexcept {
  armed_for_ = TimePoint::max();
  while (Ticket* due = deadlines_.pop_due(loop_.now()))
    expire(*due);
  arm();
}

Leftover Dispatcher::give_up_all() noexcept {
  Leftover leftover;
  while (Ticket* ticket = deadlines_.pop_due(TimePoint::max())) {
    const auto copies = ticket->used();
    const bool handed_over = std::any_of(copies.begin(), copies.end(),
                                         [](const Copy& copy) { return copy.handed_over; });
    ++(handed_over ? leftover.timed_out : leftover.unavailable);
    expire(*ticket);
  }
  return leftover;
}

void Dispatcher::log_answer(const Ticket& ticket, const Reply& reply) noexcept {
  if (!log::is_enabled(log::Level::Debug)) return;
  const auto took =
      std::chrono::duration_cast<std::chrono::microseconds>(loop_.precise_now() - ticket.received);
  log::debug(server_->about(ticket.reply_to.client), "device {} topic {}: {} after {} us",
             ticket.request.device_id, ticket.request.topic(),
             reply.ok ? "ok" : to_string(reply.error), took.count());
}

}  // namespace sluice::bridge
