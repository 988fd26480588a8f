// New settings for a running pool: limits apply at once, connections are replaced in turn.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "config/difference.h"
#include "mqtt/pool/pool.h"

namespace sluice::mqtt {
namespace {

/// About one connection in this many is replaced at a time: each that comes up under the current
/// settings makes place for another.
constexpr std::size_t kReplacedPart = 4;

}  // namespace

void Pool::reconfigure(PoolSettings settings) {
  if (stopped_) return;
  const bool address_changed = config::endpoint(broker_) != config::endpoint(settings.broker);
  const bool key_changed = connection_key_ != settings.connection_key;
  const bool limits_changed = broker_.max_inflight != settings.broker.max_inflight ||
                              broker_.reconnect_min != settings.broker.reconnect_min ||
                              broker_.reconnect_max != settings.broker.reconnect_max;
  const bool dead_after_changed = broker_.dead_after != settings.broker.dead_after;
  const bool when_dead_changed = broker_.when_dead != settings.broker.when_dead;
  if (broker_.name != settings.broker.name) counters_ = {};
  broker_ = std::move(settings.broker);
  limits_ = limits_of(broker_);
  rejected_topics_.clear();
  if (key_changed) outage_reason_.clear();
  factory_ = std::move(settings.factory);
  connection_key_ = std::move(settings.connection_key);
  totals_.waiting.set_limits(broker_.queue_messages, broker_.queue_bytes);
  resize(settings.client_ids);
  if (key_changed) {
    scheduler_.reset(address_changed);
  } else {
    scheduler_.reset_protocol();
  }
  for (const auto& each : slots_) {
    Slot& slot = *each;
    if (limits_changed) slot.link.apply_limits();
    note_may_send(slot);
    note_room_in_backlog(slot);
    note_outdated(slot);
    if (slot.link.is_connected() || is_current(slot)) continue;
    slot.link.replace();
    take_news(slot);
    release_unused_client_id(slot.link);
  }
  if (ready_ == 0 && (when_dead_changed || (dead_after_changed && was_connected_))) {
    const TimePoint dead_at = was_connected_ ? last_connected_ + broker_.dead_after : loop_.now();
    dead_timer_.start(std::max(Duration(0), dead_at - loop_.now()));
  }
  replace_.schedule();
  pump_.schedule();
}

void Pool::close_all() {
  log_.finish(ready_);
  resize({});
  replace_.schedule();
}

/// Half of the queue's limits, or all of them for a single link.
void Pool::limit_backlog(Link& link) const noexcept {
  const std::size_t parts = wanted_slots_ == 1 ? 1 : 2;
  link.backlog().set_limits(std::max<std::size_t>(broker_.queue_messages / parts, 1),
                            broker_.queue_bytes / parts);
}

void Pool::add_slot(std::string client_id) {
  const auto number = static_cast<unsigned>(slots_.size());
  slots_.push_back(std::make_unique<Slot>(*this, number, std::move(client_id)));
  slots_.back()->down_since = loop_.now();
  limit_backlog(slots_.back()->link);
}

void Pool::resize(const std::vector<std::string>& client_ids) {
  wanted_slots_ = client_ids.size();
  log_.set_connections(wanted_slots_);
  for (const auto& slot : slots_) {
    Link& link = slot->link;
    limit_backlog(link);
    if (is_wanted(*slot)) {
      link.set_client_id(client_ids[link.slot()]);
      link.keep();
      // keep() returned it to Ready under its former settings: it is to be replaced again.
      if (link.state() == LinkState::Ready && replacing_.holds(*slot)) replacing_.remove(*slot);
    } else {
      link.retire();
      if (link.state() == LinkState::Idle) scheduler_.cancel(link);
    }
    take_news(*slot);
  }
  while (slots_.size() < wanted_slots_) {
    add_slot(client_ids[slots_.size()]);
    if (started_) scheduler_.enqueue(slots_.back()->link);
  }
}

/// Removed slots that are idle, from the end, since a slot's number is its index. A removed slot
/// that is down and has nothing to send again does not reconnect.
void Pool::reap_removed() noexcept {
  for (std::size_t at = wanted_slots_; at < slots_.size(); ++at) {
    Link& link = slots_[at]->link;
    if (link.is_connected() || !link.is_clean()) continue;
    link.close_now();
    take_news(*slots_[at]);
  }
  while (slots_.size() > wanted_slots_) {
    Link& link = slots_.back()->link;
    if (link.state() != LinkState::Idle || !link.is_clean() || !link.backlog().is_empty()) return;
    std::replace(qos0_affinity_.begin(), qos0_affinity_.end(), &link, static_cast<Link*>(nullptr));
    unlist(*slots_.back());
    if (registry_ != nullptr) registry_->release(&link);
    loop_.retire(std::move(slots_.back()));
    slots_.pop_back();
  }
}

/// Its latest attempt was made under the current settings and client identifier.
bool Pool::is_current(const Slot& slot) const noexcept {
  return slot.key == connection_key_ && slot.link.client_id() == slot.link.wanted_client_id();
}

void Pool::note_outdated(Slot& slot) noexcept {
  if (is_current(slot) || outdated_.holds(slot) || replacing_.holds(slot)) return;
  outdated_.push_back(slot);
}

/// Only Ready links are replaced. A link that is down will connect under the current settings
/// or, if it has to send again under its former client identifier, is noted as outdated then.
void Pool::continue_replacing() noexcept {
  reap_removed();
  const std::size_t most = std::max<std::size_t>(wanted_slots_ / kReplacedPart, 1);
  while (replacing_.size() < most && !outdated_.empty()) {
    Slot& slot = outdated_.pop_front();
    Link& link = slot.link;
    if (link.state() != LinkState::Ready || is_current(slot)) continue;
    replacing_.push_back(slot);
    link.replace();
    take_news(slot);
  }
}

/// A connection is up. If it has the current settings, they work: one more may be replaced.
void Pool::note_replaced(Slot& slot) noexcept {
  replace_.schedule();
  note_outdated(slot);
  if (!is_current(slot) || replacing_.empty()) return;
  replacing_.remove(replacing_.holds(slot) ? slot : replacing_.front());
}

// --- client identifiers
// ---------------------------------------------------------------------------

bool Pool::may_connect(Link& link) noexcept {
  Slot& slot = slot_of(link);
  if (is_place_for_another(link)) return false;
  release_unused_client_id(link);
  if (registry_ != nullptr && !registry_->acquire(&link, next_client_id_name(link))) {
    // It waits for a link that has yet to be replaced, and must not block that.
    if (replacing_.holds(slot)) replacing_.remove(slot);
    replace_.schedule();
    return false;
  }
  slot.key = connection_key_;
  return true;
}

/// At a broker's limit of connections a free place is for a link with something to resend, which
/// may be waiting out its delay.
bool Pool::is_place_for_another(Link& link) const noexcept {
  if (ready_ == 0 || scheduler_.is_healthy() || !link.resend_queue().is_empty()) return false;
  return std::any_of(slots_.begin(), slots_.end(), [](const auto& other) {
    return other->link.state() == LinkState::Backoff && !other->link.resend_queue().is_empty();
  });
}

std::string Pool::next_client_id_name(const Link& link) const {
  return fmt::format("{} {}", config::endpoint(broker_), link.upcoming_client_id());
}

/// Without a connection a link keeps its client identifier only if the next connection uses it, so
/// that no link holds one while it waits for another.
void Pool::release_unused_client_id(const Link& link) noexcept {
  if (registry_ == nullptr) return;
  const bool is_gone = link.state() == LinkState::Idle || link.state() == LinkState::Backoff;
  if (!is_gone) return;
  const bool is_last = link.slot() >= wanted_slots_ && link.is_clean();
  const std::string held = registry_->name_of(&link);
  if (is_last || held != next_client_id_name(link)) registry_->release(&link);
}

}  // namespace sluice::mqtt
