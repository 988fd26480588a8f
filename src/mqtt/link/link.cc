#include "mqtt/link/link.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <utility>

#include "base/log.h"
#include "mqtt/link/packet_size.h"
#include "mqtt/reason_codes.h"

namespace sluice::mqtt {
namespace {

/// Backing off starts anew only after a connection that lived so long.
constexpr Duration kSettledAfter = std::chrono::seconds(10);

/// Without keep alive nothing obliges the broker; then so long.
constexpr Duration kFenceWithoutKeepAlive = std::chrono::seconds(60);

/// How long after a loss the broker may still read what the connection had been given.
Duration fence_of(const config::Broker& broker) noexcept {
  if (broker.keepalive_s == 0) return kFenceWithoutKeepAlive;
  return std::chrono::milliseconds(1500) * broker.keepalive_s;
}

[[maybe_unused]] bool is_legal(LinkState from, LinkState to) noexcept {
  switch (from) {
    case LinkState::Idle:
      return to == LinkState::Connecting || to == LinkState::Backoff;
    case LinkState::Connecting:
      return to == LinkState::Ready || to == LinkState::Backoff || to == LinkState::Idle;
    case LinkState::Ready:
      return to == LinkState::Backoff || to == LinkState::Draining || to == LinkState::Idle;
    case LinkState::Backoff:
      return to == LinkState::Connecting || to == LinkState::Backoff || to == LinkState::Idle;
    case LinkState::Draining:
      return to == LinkState::Backoff || to == LinkState::Idle;
  }
  return false;
}

}  // namespace

bool is_lasting(const Loss& loss) noexcept {
  if (loss.kind != Loss::Kind::Refused) return false;
  switch (loss.reason_code) {
    case reason::kClientIdentifierNotValid:
    case reason::kBadUserNameOrPassword:
    case reason::kNotAuthorized:
    case reason::kBanned:
    case reason::kBadAuthenticationMethod:
      return true;
    default:
      return false;
  }
}

std::string_view to_string(LinkState state) noexcept {
  switch (state) {
    case LinkState::Idle:
      return "Idle";
    case LinkState::Connecting:
      return "Connecting";
    case LinkState::Ready:
      return "Ready";
    case LinkState::Backoff:
      return "Backoff";
    case LinkState::Draining:
      return "Draining";
  }
  return "";
}

Link::Link(event::Loop& loop, LinkEvents& events, const config::Broker& broker, unsigned slot,
           std::string client_id, SharedSize& window_size, TransportFactory factory)
    : loop_(loop),
      events_(events),
      broker_(broker),
      slot_(slot),
      client_id_(client_id),
      next_client_id_(std::move(client_id)),
      factory_(std::move(factory)),
      timer_(loop, bind<&Link::on_timer>(this)),
      flush_(loop, bind<&Link::flush>(this)),
      judge_(loop, bind<&Link::judge>(this)),
      backoff_(broker.reconnect_min, broker.reconnect_max),
      window_(broker.max_inflight, window_size) {}

Link::~Link() {
  assert(in_flight_.is_empty() && redelivery_.is_empty() && fenced_.empty() && backlog_.is_empty());
}

void Link::enter(LinkState next) noexcept {
  assert(is_legal(state_, next));
  log::debug(log::Subject::slot(broker_.name, slot_), "{} -> {}", to_string(state_),
             to_string(next));
  state_ = next;
  if (next != LinkState::Backoff && next != LinkState::Connecting) timer_.stop();
  if (next == LinkState::Connecting) timer_.start(broker_.connect_timeout);
  if (next == LinkState::Ready) {
    ready_since_ = loop_.now();
    lived_ = {};
  }
}

// --- the connection
// -------------------------------------------------------------------------------

void Link::connect(const std::string& address, config::Protocol protocol) noexcept {
  protocol_ = protocol;
  stopping_ = false;
  said_goodbye_ = false;
  client_id_ = upcoming_client_id();
  renewing_ = client_id_ != next_client_id_;
  enter(LinkState::Connecting);
  transport_ = factory_(*this);
  const Result<void> begun = transport_->connect(
      {.address = address, .port = broker_.port, .client_id = client_id_, .protocol = protocol});
  if (!begun) {
    lose({Loss::Kind::Unreachable, 0, fmt::format("{}: {}", address, begun.error().what)});
  }
}

void Link::fail_attempt(const Loss& loss) noexcept {
  enter(LinkState::Connecting);
  lose(loss);
}

void Link::wake() noexcept {
  if (state_ != LinkState::Backoff || !attempt_failed_ || !timer_.is_active()) return;
  timer_.stop();
  events_.on_link_wants_connection(*this);
}

void Link::on_timer() noexcept {
  if (state_ == LinkState::Ready) {
    events_.on_link_progress(*this);
  } else if (state_ == LinkState::Backoff) {
    events_.on_link_wants_connection(*this);
  } else if (state_ == LinkState::Connecting) {
    lose({Loss::Kind::Unreachable, 0,
          fmt::format("no CONNACK within {} ms", broker_.connect_timeout.count())});
  }
}

void Link::on_connected(const Connack& connack) noexcept {
  connack_ = connack;
  window_.open(connack.receive_maximum.value_or(65535));
  in_flight_.open();
  was_full_ = false;
  redelivery_.on_connected(loop_.now());
  enter(LinkState::Ready);
  if (redelivery_.is_one_at_a_time()) timer_.start(Redelivery::kProof);
  let_fenced_go();
  if (renewing_ || leaving_) judge_.schedule();
  events_.on_link_ready(*this);
}

void Link::on_lost(const Loss& loss) noexcept {
  lose(loss);
}

void Link::lose(const Loss& loss) noexcept {
  const LinkState former = state_;
  attempt_failed_ = loss.kind == Loss::Kind::Unreachable;
  flush_.cancel();
  judge_.cancel();
  newest_unflushed_ = 0;
  if (transport_ != nullptr) {
    // Bytes the kernel still holds must not arrive behind what is sent again, or after a reply
    // that said they failed.
    transport_->drop(/*reset=*/!in_flight_.is_empty());
    loop_.retire(std::move(transport_));
  }
  renewing_ = false;
  // An attempt that was ended for another one has not fenced off what was lost before it.
  const bool is_at_once = loss.kind == Loss::Kind::Closed && !stopping_;
  if (is_at_once && former == LinkState::Connecting) {
    enter(LinkState::Backoff);
  } else if (stopping_ || is_at_once) {
    enter(LinkState::Idle);
  } else {
    const bool stood = former == LinkState::Ready || former == LinkState::Draining;
    if (stood) {
      lived_ = loop_.now() - ready_since_;
      fence_ends_ = loop_.now() + fence_of(broker_);
    }
    const Duration delay = next_delay(loss, stood);
    enter(LinkState::Backoff);
    timer_.start(delay);
  }
  keep_unacknowledged(loss);
  events_.on_link_lost(*this, former, loss);
  if (leaving_) judge_.schedule();
  if (is_at_once && (!leaving_ || !is_clean())) events_.on_link_wants_connection(*this);
}

Duration Link::next_delay(const Loss& loss, bool stood) noexcept {
  // The broker is well, and how often this happens is bounded by the deadlines of messages.
  if (loss.kind == Loss::Kind::Leaking) return broker_.reconnect_min;
  if (stood && lived_ >= kSettledAfter) backoff_.reset();
  if (is_lasting(loss)) {
    backoff_.raise_to_max();
    // The promise is "every reconnect_max_ms": no jitter below it.
    return backoff_.next(1.0);
  }
  return backoff_.next(events_.random_unit());
}

void Link::keep_unacknowledged(const Loss& loss) noexcept {
  redelivery_.begin_loss(in_flight_);
  while (Delivery* delivery = in_flight_.take_oldest()) {
    if (delivery->is_abandoned()) {
      fence(*delivery);
    } else {
      redelivery_.keep(*delivery);
    }
  }
  redelivery_.on_left(0);
  // With a DISCONNECT the broker itself has ended the connection.
  const bool is_over = loss.kind == Loss::Kind::HungUp && loss.reason_code != 0;
  if (is_over || state_ == LinkState::Idle) let_fenced_go();
}

/// What a lost connection had been given may still lie before the broker, and be read after what is
/// sent now by another way. So an abandoned message, too, keeps its device here until the broker
/// has taken the identifier over, or must have ended the connection: after one and a half keep
/// alives without a packet [MQTT-3.1.2-24].
void Link::let_fenced_go() noexcept {
  while (!fenced_.empty())
    events_.on_done(fenced_.pop_front(), {});
  if (leaving_) judge_.schedule();
}

void Link::tick() noexcept {
  const bool stands = state_ == LinkState::Ready || state_ == LinkState::Draining;
  if (stands && !in_flight_.is_empty() &&
      loop_.now() - in_flight_.last_progress() >= broker_.ack_timeout) {
    lose({Loss::Kind::Silent, 0,
          fmt::format("no acknowledgement for {} ms", broker_.ack_timeout.count())});
    return;
  }
  if (said_goodbye_ && stands && loop_.now() >= goodbye_ends_) {
    lose({Loss::Kind::Closed, 0, "disconnected; the broker did not close in time"});
    return;
  }
  const std::size_t former_size = window_.size();
  window_.tick(loop_.precise_now());
  const bool has_opened = note_window();
  if (!fenced_.empty() && loop_.now() >= fence_ends_) let_fenced_go();
  // The ramp allows more, or the window is no longer closed down.
  if (can_resend() || has_opened || window_.size() > former_size) events_.on_link_progress(*this);
  if (has_opened) flush_.schedule();
  if (transport_ != nullptr) transport_->tick();
}

// --- messages
// -------------------------------------------------------------------------------------

void Link::hand_over(Delivery& delivery) noexcept {
  if (delivery.state() == State::Resend) redelivery_.take(delivery);
  if (renewing_ || leaving_) judge_.schedule();
  delivery.sent_again = delivery.handed_over;
  if (std::optional<Outcome> refusal = refusal_of(delivery)) {
    redelivery_.on_left(in_flight_.size());
    refusal->may_be_published = delivery.sent_again;
    events_.on_done(delivery, std::move(*refusal));
    return;
  }
  std::uint16_t packet_id = 0;
  const PublishStatus status = transport_->publish(*delivery.request, packet_id);
  if (status == PublishStatus::Refused) {
    redelivery_.on_left(in_flight_.size());
    events_.on_done(delivery, {.kind = Outcome::Kind::Rejected,
                               .reason_code = reason::kTopicNameInvalid,
                               .may_be_published = delivery.sent_again,
                               .detail = "the message cannot be put into an MQTT packet"});
    return;
  }
  in_flight_.add(delivery, loop_.now());
  delivery.link = this;
  delivery.handed_over = true;
  flush_.schedule();  // a poisoned handle is found out there, too
  if (status == PublishStatus::Queued) in_flight_.identify(delivery, packet_id);
  if (delivery.qos > 0) newest_unflushed_ = delivery.sequence;
  note_window();
}

void Link::flush() noexcept {
  if (state_ != LinkState::Ready && state_ != LinkState::Draining) return;
  const std::uint64_t newest = std::exchange(newest_unflushed_, 0);
  if (newest != 0 && window_.wants_probe()) {
    window_.start_probe(newest, in_flight_.size(), loop_.precise_now());
  }
  transport_->flush();
  if (state_ != LinkState::Ready && state_ != LinkState::Draining) return;
  // It may be closed down now, or have another size by what another connection has seen.
  if (note_window()) events_.on_link_progress(*this);
  transport_->coalesce(acknowledgements_to_wait_for());
  if (transport_->is_congested()) events_.on_socket_full(*this);
}

void Link::on_acknowledged(std::uint16_t packet_id, int reason_code) noexcept {
  Delivery* delivery = in_flight_.acknowledge(packet_id, loop_.now());
  if (delivery == nullptr) return;
  window_.count();
  if (window_.is_probe(delivery->sequence)) {
    window_.end_probe(delivery->qos == 2 ? 2 : 1, loop_.precise_now());
  }
  const bool was_full = was_full_;
  note_window();
  redelivery_.on_left(in_flight_.size());
  if (in_flight_.abandoned() > 0 || state_ == LinkState::Draining) judge_.schedule();
  Outcome outcome{.kind = Outcome::Kind::Acknowledged, .reason_code = reason_code};
  if (reason_code >= reason::kFirstError) {
    outcome.kind = Outcome::Kind::Rejected;
    // This copy is refused; what became of an earlier one, no connection can tell any more.
    outcome.may_be_published = delivery->sent_again;
  }
  events_.on_done(*delivery, std::move(outcome));
  events_.on_link_progress(*this);
  if (was_full) flush_.schedule();  // behind what fills it again: there is less to wait for
}

void Link::on_writable() noexcept {
  events_.on_link_progress(*this);
}

bool Link::give_up(Delivery& delivery) noexcept {
  if (delivery.state() == State::Resend) {
    leave_redelivery(delivery);
    const bool is_over = state_ == LinkState::Ready || state_ == LinkState::Idle;
    if (!is_over) fence(delivery);
    return is_over;
  }
  in_flight_.note_abandoned();
  if (note_window()) flush_.schedule();
  judge_.schedule();
  return false;
}

void Link::remove_poison() noexcept {
  leave_redelivery(redelivery_.front());
}

void Link::leave_redelivery(Delivery& delivery) noexcept {
  redelivery_.remove(delivery);
  redelivery_.on_left(in_flight_.size());
  if (renewing_ || leaving_) judge_.schedule();
}

void Link::fence(Delivery& delivery) noexcept {
  fenced_.push_back(delivery);
  delivery.move_to(State::Fenced);
}

/// Asked once for each announcement, and all connections of a broker usually have the same.
std::optional<Outcome> Link::refusal_of(Delivery& delivery) const {
  const std::uint64_t announcement = announcement_of(connack_);
  if (delivery.cleared_for == announcement) return std::nullopt;
  std::optional<Outcome> refusal = announced_refusal(connack_, *delivery.request);
  if (!refusal) delivery.cleared_for = announcement;
  return refusal;
}

}  // namespace sluice::mqtt
