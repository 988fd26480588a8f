#include "mqtt/pool/pool.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "mqtt/link/packet_size.h"
#include "mqtt/reason_codes.h"

namespace sluice::mqtt {
namespace {

constexpr Duration kTick = std::chrono::milliseconds(500);
/// Devices share them, whatever the number of connections is.
constexpr std::size_t kQos0Homes = 1024;
/// A connection that stood so long was not thrown off by a rival under the same identifier.
constexpr Duration kShortLife = std::chrono::seconds(10);
constexpr unsigned kShortLivesToSuspect = 3;

/// A hang-up without a reason, or with one that can be about what was sent.
bool may_blame_a_message(const Loss& loss) noexcept {
  if (loss.kind != Loss::Kind::HungUp) return false;
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

Pool::Pool(event::Loop& loop, PoolEvents& events, Random& random, PoolSettings settings,
           Identifiers* identifiers)
    : loop_(loop),
      events_(events),
      random_(random),
      broker_(std::move(settings.broker)),
      log_(broker_, settings.client_ids.size()),
      factory_(std::move(settings.factory)),
      connection_key_(std::move(settings.connection_key)),
      identifiers_(identifiers),
      connector_(loop, broker_, bind<&Pool::may_connect>(this)),
      wanted_slots_(settings.client_ids.size()),
      homes_(kQos0Homes),
      replace_(loop, bind<&Pool::replace_some>(this)),
      pump_(loop, bind<&Pool::pump>(this)),
      tick_(loop, bind<&Pool::on_tick>(this)),
      death_timer_(loop, bind<&Pool::on_death>(this)),
      totals_{.waiting = {broker_.queue_messages, broker_.queue_bytes}} {
  for (std::string& client_id : settings.client_ids)
    add_slot(std::move(client_id));
}

Pool::~Pool() {
  assert(queue_.empty());
  connector_.stop();
  for (const auto& slot : slots_) {
    unlist(*slot);
    if (identifiers_ != nullptr) identifiers_->release(slot->link.get());
  }
}

void Pool::unlist(Slot& slot) noexcept {
  ready_links_.forget(slot);
  if (due_.holds(slot)) due_.remove(slot);
  if (outdated_.holds(slot)) outdated_.remove(slot);
  if (renewing_.holds(slot)) renewing_.remove(slot);
  if (reserved_.holds(slot)) reserved_.remove(slot);
}

void Pool::start() {
  started_ = true;
  tick_.start_repeating(kTick);
  for (const auto& slot : slots_)
    connector_.enqueue(*slot->link);
}

bool Pool::is_dead() const noexcept {
  if (ready_ > 0) return false;
  return !was_connected_ || loop_.now() - last_connected_ >= broker_.dead_after;
}

std::size_t Pool::in_flight() const noexcept {
  std::size_t sum = 0;
  for (const auto& slot : slots_)
    sum += slot->link->in_flight();
  return sum;
}

void Pool::stop() noexcept {
  log_.finish(ready_);
  stopped_ = true;
  connector_.stop();
  replace_.cancel();
  death_timer_.stop();
  for (const auto& slot : slots_)
    slot->link->disconnect();
}

void Pool::abandon() noexcept {
  for (const auto& slot : slots_)
    slot->link->abandon();
  tick_.stop();
  replace_.cancel();
  pump_.cancel();
}

bool Pool::is_stopped() const noexcept {
  return std::all_of(slots_.begin(), slots_.end(),
                     [](const auto& slot) { return slot->link->state() == LinkState::Idle; });
}

// --- what the links tell
// --------------------------------------------------------------------------

void Pool::on_link_ready(Link& link) noexcept {
  ++ready_;
  was_connected_ = true;
  death_timer_.stop();
  if (std::exchange(slot_of(link).was_ready, true)) ++counters_.reconnects;
  note_renewed(slot_of(link));
  log_.ready(loop_.now(), ready_, link.window());
  if (connector_.on_success()) {
    for (const auto& slot : slots_)
      slot->link->wake();
  }
  look_at(slot_of(link));
}

void Pool::on_link_lost(Link& link, LinkState former, const Loss& loss) noexcept {
  if (former == LinkState::Connecting) {
    connector_.on_failure(loss);
    // The broker was down, so the hang-up before was not about a message.
    if (loss.kind == Loss::Kind::Unreachable) forgive_all();
  }
  Slot& slot = slot_of(link);
  ready_links_.forget(slot);
  if (former == LinkState::Ready || former == LinkState::Draining) {
    if (--ready_ == 0) {
      last_connected_ = loop_.now();
      if (!stopped_) death_timer_.start(broker_.dead_after);
    }
    free_backlog(slot);
  }
  if (loss.kind == Loss::Kind::HungUp) {
    note_hang_up(link, loss);
    note_take_over(link, loss);
  }
  if (loss.kind == Loss::Kind::Closed) slot.was_ready = false;  // not lost: let go
  if (!stopped_ && former == LinkState::Connecting) {
    log_.attempt_failed(loop_.now(), loss);
  } else if (!stopped_) {
    log_.lost(loop_.now(), link.slot(), loss, ready_);
  }
  if (link.is_leaving() && link.state() == LinkState::Idle) connector_.forget(link);
  let_identifier_go(link);
  replace_.schedule();
  pump_.schedule();
}

void Pool::on_link_draining(Link& link) noexcept {
  ready_links_.forget(slot_of(link));
  free_backlog(slot_of(link));  // what owes nothing to this link may go to another one
}

/// A message may be blamed only while others of the broker's connections live on: what ends the
/// last of them, too, is no message.
void Pool::note_hang_up(Link& link, const Loss& loss) noexcept {
  if (ready_ == 0) {
    forgive_all();
  } else if (may_blame_a_message(loss)) {
    has_blamed_ = true;
    link.redelivery().blame(loss.reason_code);
  }
}

/// Looks at all links only after a hang-up: an outage is thousands of attempts that fail.
void Pool::forgive_all() noexcept {
  if (!std::exchange(has_blamed_, false)) return;
  for (const auto& slot : slots_) {
    slot->link->redelivery().forgive();
    look_at(*slot);
  }
}

/// Two clients with one identifier throw each other off the broker, again and again. MQTT 5 brokers
/// say so (reason 0x8E, section 3.14.2.1); others just close, and so does Mosquitto 2.0.11.
void Pool::note_take_over(Link& link, const Loss& loss) noexcept {
  const bool is_said = loss.reason_code == reason::kSessionTakenOver;
  unsigned& lives = slot_of(link).short_lives;
  if (!is_said) {
    // A link that looks for a poison message knows why it is hung up on.
    if (loss.reason_code != 0 || ready_ == 0 || link.redelivery().is_one_at_a_time()) return;
    lives = link.lived() < kShortLife ? lives + 1 : 0;
    if (lives < kShortLivesToSuspect) return;
  }
  ++counters_.taken_over;
  log_.taken_over(loop_.now(), link.slot(), link.client_id(), is_said);
}

void Pool::on_link_wants_connection(Link& link) noexcept {
  connector_.enqueue(link);
}
void Pool::on_link_progress(Link& link) noexcept {
  look_at(slot_of(link));
}
void Pool::on_socket_full(Link&) noexcept {
  ++counters_.socket_full;
}

void Pool::on_tick() noexcept {
  if (!stopped_) log_.tick(loop_.now(), ready_);
  for (const auto& slot : slots_)
    slot->link->tick();
  if (slots_.size() > wanted_slots_) replace_.schedule();
}

void Pool::on_death() noexcept {
  log_.dead(loop_.now());
  for (const auto& slot : slots_)
    waiters_.wake(slot->waiters);
  events_.on_dead(*this);
  pump_.schedule();  // what waits for room is answered
}

}  // namespace sluice::mqtt
