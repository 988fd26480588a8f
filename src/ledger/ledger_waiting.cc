// Requests that wait for room, and the grants of origins whose turn has come.
#include <algorithm>
#include <cassert>
#include <functional>
#include <vector>

#include "ledger/ledger.h"

namespace sluice::ledger {
namespace {

/// Requests that an origin may submit in its turn, if there is room. Submitted one by one, each
/// would cost a read and a write.
constexpr unsigned kRequestsInTurn = 32;

}  // namespace

std::size_t Ledger::StreamKeyHash::operator()(const StreamKey& stream) const noexcept {
  return std::hash<const Source*>{}(stream.source) ^ (std::size_t{stream.index} << 8U);
}

void Ledger::begin_wait(PendingRequest& pending, const Refusal& refusal) noexcept {
  refusal.lane->pool->wait(pending, pending.request, refusal.why);
  pending.waits_at = refusal.lane;
  end_grant(pending.origin);
  [[maybe_unused]] const bool is_only =
      waiting_.emplace(StreamKey{pending.origin.source, pending.origin.index}, &pending).second;
  assert(is_only);
}

void Ledger::end_wait(PendingRequest& pending) noexcept {
  pending.waits_at->pool->stop_waiting(pending);
  pending.waits_at = nullptr;
  waiting_.erase({pending.origin.source, pending.origin.index});
}

PendingRequest* Ledger::waiting_of(const Origin& origin) const noexcept {
  if (waiting_.empty()) return nullptr;
  const auto found = waiting_.find({origin.source, origin.index});
  const bool is_its = found != waiting_.end() && found->second->origin.is_same_stream(origin);
  return is_its ? found->second : nullptr;
}

const mqtt::Pool* Ledger::awaited_by(const Origin& origin) const noexcept {
  const PendingRequest* pending = waiting_of(origin);
  return pending == nullptr ? nullptr : pending->waits_at->pool;
}

void Ledger::forget(const Origin& origin) noexcept {
  assert(!is_calling_);
  end_grant(origin);
  PendingRequest* pending = waiting_of(origin);
  if (pending == nullptr) return;
  end_wait(*pending);
  deadlines_.remove(*pending);
  pending->request = {};
  recycle(*pending);
}

void Ledger::on_room(mqtt::Waiter& waiter) noexcept {
  PendingRequest& pending = static_cast<PendingRequest&>(waiter);
  BrokerLane& lane = *pending.waits_at;
  const Origin origin = pending.origin;
  end_wait(pending);
  Refusal refusal;
  switch (admit(pending, /*in_turn=*/true, refusal)) {
    case AdmitResult::Refused:
      begin_wait(pending, refusal);  // another of its brokers has no room
      break;
    case AdmitResult::Answered:
      call_grant(origin, 0);
      break;
    case AdmitResult::Accepted:
      if (pending.brokers == 1) {
        serve(origin, lane, pending.request);
      } else {
        call_grant(origin, 0);  // its next requests may need room at several brokers, too
      }
      break;
  }
}

/// Offers again the requests that wait at another broker and need `pool`, too. The pool itself does
/// it for those that wait there.
void Ledger::on_dead(mqtt::Pool& pool) noexcept {
  end_grants();
  std::vector<PendingRequest*> refused;
  for (const auto& waiting : waiting_) {
    PendingRequest* pending = waiting.second;
    if (pending->waits_at->pool == &pool) continue;
    const auto deliveries = pending->deliveries();
    const bool is_refused =
        std::any_of(deliveries.begin(), deliveries.end(), [&](const BrokerDelivery& delivery) {
          return delivery.lane->pool == &pool &&
                 pool.admission(pending->request, /*in_turn=*/true) == mqtt::Admission::Dead;
        });
    if (is_refused) refused.push_back(pending);
  }
  for (PendingRequest* pending : refused)
    on_room(*pending);
}

// --- grants: until the end of the turn, and for the broker that had the room

/// Grants room for more requests like the one just accepted. `like` is that one, or what its answer
/// has left of it.
void Ledger::serve(const Origin& origin, BrokerLane& lane, const protocol::Request& like) noexcept {
  const unsigned room = lane.pool->room_for(like, kRequestsInTurn - 1);
  const unsigned wanted = std::min(call_grant(origin, room), room);
  if (wanted == 0) return;
  lane.pool->reserve(like, wanted);
  [[maybe_unused]] const bool is_only =
      grants_
          .emplace(StreamKey{origin.source, origin.index},
                   Grant{origin.generation, &lane, wanted, like.bytes()})
          .second;
  assert(is_only);
  // Runs after the sources' own end of the turn.
  grants_end_.cancel();
  grants_end_.schedule();
}

unsigned Ledger::call_grant(const Origin& origin, unsigned most) noexcept {
  is_calling_ = true;
  const unsigned wanted = origin.source->grant(origin, most);
  is_calling_ = false;
  return wanted;
}

bool Ledger::use_grant(const PendingRequest& pending) noexcept {
  if (grants_.empty() || pending.brokers != 1) return false;
  const auto found = grants_.find({pending.origin.source, pending.origin.index});
  if (found == grants_.end()) return false;
  Grant& grant = found->second;
  BrokerLane& lane = *pending.only.lane;
  if (grant.generation != pending.origin.generation || grant.lane != &lane) return false;
  lane.pool->use_reserved(pending.request, grant.bytes);
  if (--grant.left == 0) grants_.erase(found);
  return true;
}

void Ledger::end_grant(const Origin& origin) noexcept {
  if (grants_.empty()) return;
  const auto found = grants_.find({origin.source, origin.index});
  if (found == grants_.end() || found->second.generation != origin.generation) return;
  const Grant grant = found->second;
  grants_.erase(found);
  grant.lane->pool->release_reserved(grant.left, grant.bytes);
}

void Ledger::end_grants() noexcept {
  for (auto each = grants_.begin(); each != grants_.end(); each = grants_.erase(each))
    each->second.lane->pool->release_reserved(each->second.left, each->second.bytes);
}

}  // namespace sluice::ledger
