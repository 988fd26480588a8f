#include "mqtt/pool.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "mqtt/packet_size.h"
#include "mqtt/reason_codes.h"

namespace sluice::mqtt {
namespace {

constexpr Duration kTick = std::chrono::milliseconds(500);
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

Pool::Pool(event::Loop& loop, PoolEvents& events, Random& random, config::Broker broker,
           const std::vector<std::string>& client_ids, const PoolTransportFactory& factory)
    : loop_(loop),
      events_(events),
      random_(random),
      broker_(std::move(broker)),
      log_(broker_, client_ids.size()),
      connector_(loop, broker_),
      pump_(loop, bind<&Pool::pump>(this)),
      tick_(loop, bind<&Pool::on_tick>(this)),
      death_timer_(loop, bind<&Pool::on_death>(this)),
      waiting_(broker_.queue_messages, broker_.queue_bytes) {
  // With a single link there is nobody else to keep room for.
  const std::size_t parts = client_ids.size() == 1 ? 1 : 2;
  const std::size_t share = std::max<std::size_t>(broker_.queue_messages / parts, 1);
  slots_.reserve(client_ids.size());
  for (unsigned slot = 0; slot < client_ids.size(); ++slot) {
    const auto make = [this, factory](TransportEvents& link) {
      return factory(loop_, link, broker_);
    };
    slots_.emplace_back(
        std::make_unique<Link>(loop_, *this, broker_, slot, client_ids[slot], window_size_, make),
        Watermark(share, broker_.queue_bytes / parts));
  }
}

Pool::~Pool() {
  assert(queue_.empty());
}

void Pool::start() {
  tick_.start_repeating(kTick);
  for (Slot& slot : slots_)
    connector_.enqueue(*slot.link);
}

bool Pool::is_dead() const noexcept {
  if (ready_ > 0) return false;
  return !was_connected_ || loop_.now() - last_connected_ >= broker_.dead_after;
}

std::size_t Pool::in_flight() const noexcept {
  std::size_t sum = 0;
  for (const Slot& slot : slots_)
    sum += slot.link->in_flight();
  return sum;
}

void Pool::stop() noexcept {
  log_.finish(ready_);
  stopped_ = true;
  connector_.stop();
  death_timer_.stop();
  for (Slot& slot : slots_)
    slot.link->disconnect();
}

void Pool::abandon() noexcept {
  for (Slot& slot : slots_)
    slot.link->abandon();
  tick_.stop();
  pump_.cancel();
}

bool Pool::is_stopped() const noexcept {
  return std::all_of(slots_.begin(), slots_.end(),
                     [](const Slot& slot) { return slot.link->state() == LinkState::Idle; });
}

// --- what the links tell
// --------------------------------------------------------------------------

void Pool::on_link_ready(Link& link) noexcept {
  ++ready_;
  was_connected_ = true;
  death_timer_.stop();
  if (std::exchange(slot_of(link).was_ready, true)) ++counters_.reconnects;
  connector_.on_success();
  log_.ready(loop_.now(), ready_, link.window());
  for (Slot& slot : slots_)
    slot.link->wake();
  pump_.schedule();
}

void Pool::on_link_lost(Link& link, LinkState former, const Loss& loss) noexcept {
  if (former == LinkState::Connecting) {
    connector_.on_failure(loss);
    // The broker was down, so the hang-up before was not about a message.
    if (loss.kind == Loss::Kind::Unreachable) {
      for (Slot& slot : slots_)
        slot.link->redelivery().forgive();
    }
  }
  if (former == LinkState::Ready || former == LinkState::Draining) {
    if (--ready_ == 0) {
      last_connected_ = loop_.now();
      if (!stopped_) death_timer_.start(broker_.dead_after);
    }
  }
  if (loss.kind == Loss::Kind::HungUp) {
    note_hang_up(link, loss);
    note_take_over(link, loss);
  }
  slot_of(link).line_is_stale = true;
  if (!stopped_ && former == LinkState::Connecting) {
    log_.attempt_failed(loop_.now(), loss);
  } else if (!stopped_) {
    log_.lost(loop_.now(), link.slot(), loss, ready_);
  }
  pump_.schedule();
}

void Pool::on_link_draining(Link& link) noexcept {
  slot_of(link).line_is_stale = true;  // what owes nothing to this link may go to another one
  pump_.schedule();
}

/// A message may be blamed only while others of the broker's connections live on: what ends the
/// last of them, too, is no message.
void Pool::note_hang_up(Link& link, const Loss& loss) noexcept {
  if (ready_ == 0) {
    for (Slot& slot : slots_)
      slot.link->redelivery().forgive();
  } else if (may_blame_a_message(loss)) {
    link.redelivery().blame(loss.reason_code);
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
void Pool::on_link_progress(Link&) noexcept {
  pump_.schedule();
}
void Pool::on_socket_full(Link&) noexcept {
  ++counters_.socket_full;
}

void Pool::on_tick() noexcept {
  if (!stopped_) log_.tick(loop_.now(), ready_);
  for (Slot& slot : slots_)
    slot.link->tick();
}

void Pool::on_death() noexcept {
  log_.dead(loop_.now());
  pump_.schedule();  // whoever waits for room is told
}

}  // namespace sluice::mqtt
