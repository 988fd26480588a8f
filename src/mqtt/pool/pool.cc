#include "mqtt/pool/pool.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <utility>

#include "mqtt/link/announced_refusal.h"
#include "mqtt/reason_codes.h"

namespace sluice::mqtt {
namespace {

constexpr Duration kTick = std::chrono::milliseconds(500);
/// A table, shared by devices: hashing over the links that are up would send a device back to a
/// former link, where it could overtake itself. It costs nothing (1.00 times the messages and the
/// processor time without it, 20 pairs).
constexpr std::size_t kQos0AffinityEntries = 1024;
/// A connection that was up for this long was not lost to a session takeover: the other client
/// connects again at once at first.
constexpr Duration kShortUptime = std::chrono::seconds(2);
/// With fewer connections another client looks the same.
constexpr std::size_t kFewestToTell = 4;
constexpr unsigned kTakeoversToTell = 3;
constexpr unsigned kShortLivesForTakeover = 3;

/// A disconnect without a reason, or with one that can be about a message.
bool may_be_poison(const Loss& loss) noexcept {
  if (loss.kind != Loss::Kind::Disconnected) return false;
  switch (loss.reason_code) {
    case reason::kServerBusy:
    case reason::kServerShuttingDown:
    case reason::kKeepAliveTimeout:
    case reason::kSessionTakenOver:
    case reason::kAdministrativeAction:
    case reason::kUseAnotherServer:
    case reason::kServerMoved:
      return false;
    default:
      return true;
  }
}

}  // namespace

KnownLimits Pool::limits_of(const config::Broker& broker) noexcept {
  return {.max_qos = static_cast<std::uint8_t>(broker.max_qos),
          .max_topic_levels = static_cast<std::uint8_t>(broker.max_topic_levels)};
}

Pool::Pool(event::Loop& loop, PoolEvents& events, Random& random, PoolSettings settings,
           ClientIdRegistry* registry)
    : loop_(loop),
      events_(events),
      random_(random),
      broker_(std::move(settings.broker)),
      log_(broker_, settings.client_ids.size()),
      factory_(std::move(settings.factory)),
      connection_key_(std::move(settings.connection_key)),
      registry_(registry),
      scheduler_(loop, broker_, bind<&Pool::may_connect>(this), bind<&Pool::attempt>(this),
                 bind<&Pool::hurry>(this)),
      limits_(limits_of(broker_)),
      wanted_slots_(settings.client_ids.size()),
      qos0_affinity_(kQos0AffinityEntries),
      replace_(loop, bind<&Pool::continue_replacing>(this)),
      pump_(loop, bind<&Pool::pump>(this)),
      tick_(loop, bind<&Pool::on_tick>(this)),
      dead_timer_(loop, bind<&Pool::on_dead_timer>(this)),
      totals_{.waiting = {broker_.queue_messages, broker_.queue_bytes}},
      created_at_(loop.now()) {
  for (std::string& client_id : settings.client_ids)
    add_slot(std::move(client_id));
}

Pool::~Pool() {
  assert(queue_.empty());
  scheduler_.stop();
  for (const auto& slot : slots_) {
    unlist(*slot);
    if (registry_ != nullptr) registry_->release(&slot->link);
  }
}

void Pool::unlist(Slot& slot) noexcept {
  ready_links_.forget(slot);
  if (due_.holds(slot)) due_.remove(slot);
  if (outdated_.holds(slot)) outdated_.remove(slot);
  if (replacing_.holds(slot)) replacing_.remove(slot);
  if (reserved_.holds(slot)) reserved_.remove(slot);
}

void Pool::start() {
  started_ = true;
  tick_.start_repeating(kTick);
  for (const auto& slot : slots_)
    scheduler_.enqueue(slot->link);
}

bool Pool::is_dead() const noexcept {
  if (ready_ > 0) return false;
  return !was_connected_ || loop_.now() - last_connected_ >= broker_.dead_after;
}

std::size_t Pool::in_flight() const noexcept {
  std::size_t sum = 0;
  for (const auto& slot : slots_)
    sum += slot->link.in_flight();
  return sum;
}

void Pool::stop() noexcept {
  log_.finish(ready_);
  stopped_ = true;
  scheduler_.stop();
  replace_.cancel();
  dead_timer_.stop();
  for (const auto& slot : slots_) {
    slot->link.disconnect();
    take_news(*slot);
  }
}

void Pool::close_now() noexcept {
  for (const auto& slot : slots_) {
    slot->link.close_now();
    take_news(*slot);
  }
  tick_.stop();
  replace_.cancel();
  pump_.cancel();
}

bool Pool::is_stopped() const noexcept {
  return std::all_of(slots_.begin(), slots_.end(),
                     [](const auto& slot) { return slot->link.state() == LinkState::Idle; });
}

// --- what happens to the links
// --------------------------------------------------------------------

Slot::Slot(Pool& of, unsigned number, std::string client_id)
    : pool(of), link(pool.link_context(*this), number, std::move(client_id)) {}

void Slot::on_connected(const Connack& connack) noexcept {
  link.come_up(connack);
  pool.take_news(*this);
}
void Slot::on_acknowledged(std::uint16_t packet_id, int reason_code,
                           std::string_view reason) noexcept {
  pool.take_acknowledgement(*this, packet_id, reason_code, reason);
}
void Slot::on_qos2_downgraded() noexcept {
  pool.note_qos2_downgrade();
}
void Slot::on_writable() noexcept {
  pool.note_may_send(*this);
}
void Slot::on_lost(const Loss& loss) noexcept {
  link.lose(loss);
  pool.take_news(*this);
}
void Slot::on_news() noexcept {
  pool.take_news(*this);
}

Link::Context Pool::link_context(Slot& slot) noexcept {
  return {.loop = loop_,
          .broker = broker_,
          .random = random_,
          .window_tuner = window_tuner_,
          .limits = limits_,
          .events = slot,
          .factory = [this](TransportEvents& events) { return factory_(loop_, events, broker_); },
          .has_news = bind<&Slot::on_news>(&slot)};
}

void Pool::take_acknowledgement(Slot& slot, std::uint16_t packet_id, int reason_code,
                                std::string_view reason) noexcept {
  pump_.schedule();  // before the link's flush, which then sends the next messages, too
  Delivery* delivery = slot.link.acknowledge(packet_id);
  if (delivery == nullptr) return;
  // This delivery is refused, but an earlier one, on a lost connection, may have been published.
  const bool is_refused = reason_code >= reason::kFirstError;
  const bool was_received = reason_code == reason::kPacketIdentifierNotFound;
  finish(
      *delivery,
      {.kind = is_refused ? DeliveryOutcome::Kind::Rejected : DeliveryOutcome::Kind::Acknowledged,
       .reason_code = reason_code,
       .may_be_published = is_refused && (delivery->sent_again || was_received),
       .detail = reason.empty() ? std::string() : fmt::format("message rejected: {}", reason)});
  note_may_send(slot);
}

/// Holds until the next reload. QoS 2 messages in flight still get their PUBACK.
void Pool::note_qos2_downgrade() noexcept {
  if (limits_.max_qos < 2) return;
  limits_.max_qos = 1;
  log_.qos2_downgraded();
}

/// Called after each call to a link that may change its news().
void Pool::take_news(Slot& slot) noexcept {
  Link& link = slot.link;
  while (Delivery* delivery = link.release_fenced())
    finish(*delivery, {});
  const LinkNews news = link.news();
  if (news.was_full) ++counters_.socket_full;
  if (news.stopped_accepting) {
    ready_links_.forget(slot);
    unpin_all(slot);  // devices with nothing unacknowledged here may take another link
  }
  if (news.came_up) note_ready(slot);
  if (news.loss) note_lost(slot, *news.loss, news.lost_in);
  if (news.wants_connection && wants_connection(slot)) scheduler_.enqueue(link);
  if (news.has_room) note_may_send(slot);
}

void Pool::note_ready(Slot& slot) noexcept {
  ++ready_;
  was_connected_ = true;
  slot.down_since.reset();
  outage_reason_.clear();
  dead_timer_.stop();
  if (std::exchange(slot.was_ready, true)) ++counters_.reconnects;
  note_replaced(slot);
  scheduler_.note_up(ready_);
  const bool is_recovery = scheduler_.on_success();  // may log a fallback first
  log_.ready(loop_.now(), ready_, slot.link.window());
  // It may have been the broker's limit of connections that refused the others, unless none was up.
  if (is_recovery) retry_others(/*also_refused=*/ready_ == 1);
  if (!is_wanted(slot)) {
    slot.link.retire();
    take_news(slot);
  }
  note_may_send(slot);
}

void Pool::note_lost(Slot& slot, const Loss& loss, LinkState lost_in) noexcept {
  bool is_version_search = false;
  if (lost_in == LinkState::Connecting) {
    is_version_search = scheduler_.on_failure(loss);
    // The broker was down, so the disconnect before was not about a message.
    const bool was_down = loss.kind == Loss::Kind::Unreachable ||
                          (loss.kind == Loss::Kind::Unanswered && ready_ == 0);
    if (was_down) clear_all_strikes();
  }
  Link& link = slot.link;
  note_error(slot, loss, lost_in);
  ready_links_.forget(slot);
  if (Link::is_connected(lost_in)) {
    slot.down_since = loop_.now();
    scheduler_.note_up(--ready_);
    if (ready_ == 0) {
      last_connected_ = loop_.now();
      if (!stopped_) dead_timer_.start(broker_.dead_after);
    }
    unpin_all(slot);
  }
  if (loss.kind == Loss::Kind::Disconnected && Link::is_connected(lost_in)) {
    note_disconnect(link, loss);
    note_takeover(link, loss);
  }
  if (loss.kind == Loss::Kind::Closed) slot.was_ready = false;  // closed by sluice
  if (!stopped_ && lost_in == LinkState::Connecting) {
    log_.attempt_failed(loop_.now(), loss, is_version_search);
  } else if (!stopped_) {
    log_.lost(loop_.now(), link.slot(), loss, ready_);
  }
  if (!is_wanted(slot) && link.state() == LinkState::Idle) scheduler_.cancel(link);
  release_unused_client_id(link);
  replace_.schedule();
  pump_.schedule();
}

/// A disconnect counts against a message only while other connections of the broker stay up: no
/// message causes an outage of all.
void Pool::note_disconnect(Link& link, const Loss& loss) noexcept {
  if (ready_ == 0) {
    clear_all_strikes();
  } else if (may_be_poison(loss)) {
    has_strikes_ = true;
    link.poison().note_disconnect(loss.reason_code);
  }
}

/// Walks the links only if there may be strikes: an outage has thousands of failed attempts.
void Pool::clear_all_strikes() noexcept {
  if (!std::exchange(has_strikes_, false)) return;
  for (const auto& slot : slots_) {
    slot->link.poison().clear();
    note_may_send(*slot);
  }
}

/// Two clients with one client identifier keep disconnecting each other. MQTT 5 brokers report a
/// session takeover (reason 0x8E, section 3.14.2.1); others, like Mosquitto 2.0.11, just close.
void Pool::note_takeover(Link& link, const Loss& loss) noexcept {
  const bool is_reported = loss.reason_code == reason::kSessionTakenOver;
  unsigned& lives = slot_of(link).short_lives;
  if (!is_reported) {
    // While a link searches for a poison message, that is the cause of its disconnects.
    if (loss.reason_code != 0 || link.poison().is_one_at_a_time()) return;
    if (ready_ == 0) {
      lone_takeovers_ = is_lone_takeover(link) ? lone_takeovers_ + 1 : 0;
      if (lone_takeovers_ < kTakeoversToTell) return;
    }
    lives = link.latest_uptime() < kShortUptime ? lives + 1 : 0;
    if (ready_ > 0 && lives < kShortLivesForTakeover) return;
  }
  ++counters_.taken_over;
  note_lone_takeover();
  if (lone_takeovers_ >= kTakeoversToTell) {
    log_.username_is_client_id(loop_.now());
  } else if (lone_takeovers_ == 0) {
    const bool may_be_username = !broker_.username.empty() && wanted_slots_ > 1;
    log_.taken_over(loop_.now(), link.slot(), link.client_id(), is_reported, may_be_username);
  }
}

/// Mosquitto 2.0.11 closes the former connection before it answers the CONNECT of the next one.
bool Pool::is_lone_takeover(const Link& link) const noexcept {
  return !broker_.username.empty() && wanted_slots_ >= kFewestToTell &&
         scheduler_.is_connecting() && link.latest_uptime() < kShortUptime;
}

/// A broker that uses the username as the client identifier keeps about one of the pool's
/// connections up. Another client takes over single ones, and the rest stay up.
void Pool::note_lone_takeover() noexcept {
  const bool is_alone = ready_ <= std::max<std::size_t>(wanted_slots_ / 4, 1);
  const bool is_possible = !broker_.username.empty() && wanted_slots_ >= kFewestToTell && is_alone;
  lone_takeovers_ = is_possible ? lone_takeovers_ + 1 : 0;
}

void Pool::on_tick() noexcept {
  if (!stopped_) log_.tick(loop_.now(), ready_);
  for (const auto& slot : slots_) {
    slot->link.tick();
    take_news(*slot);
  }
  if (!stopped_) check_acknowledgements();
  if (slots_.size() > wanted_slots_) replace_.schedule();
}

void Pool::on_dead_timer() noexcept {
  log_.dead(loop_.now());
  for (const auto& slot : slots_)
    waiters_.wake(slot->waiters);
  events_.on_dead(*this);
  pump_.schedule();  // waiting requests are answered, and queued ones if it refuses them
}

}  // namespace sluice::mqtt
