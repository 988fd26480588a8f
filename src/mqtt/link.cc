#include "mqtt/link.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <utility>

#include "base/log.h"
#include "mqtt/packet_size.h"
#include "mqtt/reason_codes.h"

namespace sluice::mqtt {
namespace {

/// Backing off starts anew only after a connection that lived so long.
constexpr Duration kSettledAfter = std::chrono::seconds(10);
/// Beyond this the library's own bookkeeping per message grows noticeably.
constexpr std::size_t kAutoWindow = 128;
/// A 3.1.1 broker does not say what it takes; brokers of that age hold 20 to 100.
constexpr std::size_t kAutoWindowV311 = 64;
/// Mosquitto hangs up on a 3.1.1 client with more QoS 2 messages open than its
/// max_inflight_messages, 20 by default, which 3.1.1 has no means to announce.
constexpr std::size_t kQos2WindowV311 = 20;

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
      return to == LinkState::Idle;
  }
  return false;
}

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
           std::string client_id, TransportFactory factory)
    : loop_(loop),
      events_(events),
      broker_(broker),
      slot_(slot),
      client_id_(std::move(client_id)),
      factory_(std::move(factory)),
      timer_(loop, bind<&Link::on_timer>(this)),
      flush_(loop, bind<&Link::flush>(this)),
      backoff_(broker.reconnect_min, broker.reconnect_max) {}

Link::~Link() {
  assert(in_flight_.empty() && resend_.empty() && line_.empty());
}

void Link::enter(LinkState next) noexcept {
  assert(is_legal(state_, next));
  log::debug("broker {}: link {}: {} -> {}", broker_.name, slot_, to_string(state_),
             to_string(next));
  state_ = next;
  if (next != LinkState::Backoff && next != LinkState::Connecting) timer_.stop();
  if (next == LinkState::Connecting) timer_.start(broker_.connect_timeout);
  if (next == LinkState::Ready) ready_since_ = loop_.now();
}

// --- the connection
// -------------------------------------------------------------------------------

void Link::connect(const std::string& address, config::Protocol protocol) noexcept {
  protocol_ = protocol;
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
  if (state_ == LinkState::Backoff) {
    events_.on_link_wants_connection(*this);
  } else if (state_ == LinkState::Connecting) {
    lose({Loss::Kind::Unreachable, 0,
          fmt::format("no CONNACK within {} ms", broker_.connect_timeout.count())});
  }
}

void Link::on_connected(const Connack& connack) noexcept {
  connack_ = connack;
  window_ = window_of(connack, protocol_);
  ids_ = PacketIds(window_);
  enter(LinkState::Ready);
  events_.on_link_ready(*this);
}

std::size_t Link::window_of(const Connack& connack, config::Protocol protocol) const noexcept {
  const bool is_v5 = protocol == config::Protocol::V5;
  const std::size_t own = broker_.max_inflight.value_or(is_v5 ? kAutoWindow : kAutoWindowV311);
  // A Receive Maximum of 0 is a fault of the broker (MQTT 5, section 3.2.2.3.3); 1 is the least.
  const std::size_t allowed = std::max<std::size_t>(connack.receive_maximum.value_or(65535), 1);
  return std::min(own, allowed);
}

void Link::on_lost(const Loss& loss) noexcept {
  lose(loss);
}

void Link::lose(const Loss& loss) noexcept {
  const LinkState former = state_;
  attempt_failed_ = loss.kind == Loss::Kind::Unreachable;
  flush_.cancel();
  if (transport_ != nullptr) {
    // Bytes the kernel still holds must not arrive behind what is sent again, or after a reply
    // that said they failed.
    transport_->drop(/*reset=*/!in_flight_.empty());
    loop_.retire(std::move(transport_));
  }
  if (loss.kind == Loss::Kind::Closed || former == LinkState::Draining) {
    enter(LinkState::Idle);
  } else {
    const Duration delay = next_delay(loss);
    enter(LinkState::Backoff);
    timer_.start(delay);
  }
  keep_unacknowledged(loss);
  events_.on_link_lost(*this, former, loss);
}

Duration Link::next_delay(const Loss& loss) noexcept {
  const bool had_settled =
      state_ == LinkState::Ready && loop_.now() - ready_since_ >= kSettledAfter;
  if (had_settled) backoff_.reset();
  if (is_lasting(loss) || loss.reason_code == reason::kSessionTakenOver) {
    backoff_.raise_to_max();
    // The promise is "every reconnect_max_ms": no jitter below it.
    return backoff_.next(1.0);
  }
  return backoff_.next(events_.random_unit());
}

void Link::keep_unacknowledged(const Loss& loss) noexcept {
  ids_ = PacketIds(1);
  const bool was_alone = in_flight_.size() == 1;
  Message* newer = resend_.empty() ? nullptr : &resend_.front();
  while (!in_flight_.empty()) {
    Message& message = in_flight_.front();
    leave_flight(message);
    if (message.answered) {
      events_.on_message_done(message, {.kind = Outcome::Kind::Dropped});
      continue;
    }
    if (may_blame_a_message(loss)) {
      message.hang_ups = was_alone && message.hang_ups > 0 ? kPoisonous : 1;
      message.hang_up_code = loss.reason_code;
    }
    message.place = Place::Resend;
    if (newer != nullptr) {
      resend_.insert_before(message, *newer);
    } else {
      resend_.push_back(message);
    }
    events_.on_message_kept(message);
  }
}

void Link::forgive() noexcept {
  for (Message* message = resend_.empty() ? nullptr : &resend_.front(); message != nullptr;
       message = resend_.next(*message)) {
    message->hang_ups = 0;
  }
}

void Link::tick() noexcept {
  if (state_ == LinkState::Ready && !in_flight_.empty() &&
      loop_.now() - last_progress_ >= broker_.ack_timeout) {
    lose({Loss::Kind::Silent, 0,
          fmt::format("no acknowledgement for {} ms", broker_.ack_timeout.count())});
    return;
  }
  if (transport_ != nullptr) transport_->tick();
}

void Link::disconnect() noexcept {
  if (state_ != LinkState::Ready || !in_flight_.empty()) {
    abandon();
    return;
  }
  flush_.cancel();
  enter(LinkState::Draining);
  transport_->disconnect();
}

void Link::abandon() noexcept {
  if (state_ == LinkState::Idle) return;
  lose({Loss::Kind::Closed, 0, "closed"});
}

// --- messages
// -------------------------------------------------------------------------------------

bool Link::window_is_open_for(const Message& message) const noexcept {
  if (in_flight_.size() >= window_) return false;
  const bool is_bounded = message.request->qos == 2 && protocol_ == config::Protocol::V311;
  return !is_bounded || qos2_in_flight_ < kQos2WindowV311;
}

bool Link::has_room_for(const Message& message) const noexcept {
  return state_ == LinkState::Ready && resend_.empty() && window_is_open_for(message) &&
         !transport_->is_congested();
}

bool Link::can_resend() noexcept {
  if (state_ != LinkState::Ready || resend_.empty() || transport_->is_congested()) return false;
  // After a hang-up each suspect goes alone, so that a second one tells which it was.
  if (resend_.front().hang_ups > 0) return in_flight_.empty();
  return window_is_open_for(resend_.front());
}

void Link::hand_over(Message& message) noexcept {
  if (message.place == Place::Resend) resend_.remove(message);
  message.place = Place::Nowhere;
  message.sent_again = message.handed_over;
  if (std::optional<Outcome> refusal = announced_refusal(connack_, *message.request)) {
    refusal->may_be_published = message.sent_again;
    events_.on_message_done(message, *refusal);
    return;
  }
  std::uint16_t packet_id = 0;
  const PublishStatus status = transport_->publish(*message.request, packet_id);
  if (status == PublishStatus::Refused) {
    events_.on_message_done(message, {.kind = Outcome::Kind::Rejected,
                                      .reason_code = reason::kTopicNameInvalid,
                                      .may_be_published = message.sent_again,
                                      .detail = "the message cannot be put into an MQTT packet"});
    return;
  }
  if (in_flight_.empty()) last_progress_ = loop_.now();
  message.place = Place::InFlight;
  message.link = this;
  message.handed_over = true;
  in_flight_.push_back(message);
  if (message.request->qos == 2) ++qos2_in_flight_;
  flush_.schedule();  // a poisoned handle is found out there, too
  if (status == PublishStatus::Poisoned) return;
  message.packet_id = packet_id;
  // An identifier still in flight 65,535 publishes later: its acknowledgement was lost for good.
  if (Message* stuck = ids_.take(packet_id)) stuck->packet_id = 0;
  ids_.insert(packet_id, message);
}

void Link::flush() noexcept {
  if (state_ != LinkState::Ready) return;
  transport_->flush();
  if (state_ == LinkState::Ready && transport_->is_congested()) events_.on_socket_full(*this);
}

void Link::on_acknowledged(std::uint16_t packet_id, int reason_code) noexcept {
  Message* message = ids_.take(packet_id);
  if (message == nullptr) return;
  last_progress_ = loop_.now();
  leave_flight(*message);
  Outcome outcome;
  outcome.reason_code = reason_code;
  if (reason_code >= reason::kFirstError) {
    outcome.kind = Outcome::Kind::Rejected;
    // This copy is refused; what became of an earlier one, no connection can tell any more.
    outcome.may_be_published = message->sent_again;
  }
  events_.on_message_done(*message, outcome);
  events_.on_link_progress(*this);
}

void Link::leave_flight(Message& message) noexcept {
  in_flight_.remove(message);
  message.place = Place::Nowhere;
  if (message.request->qos == 2) --qos2_in_flight_;
}

void Link::on_writable() noexcept {
  events_.on_link_progress(*this);
}

bool Link::give_up(Message& message) noexcept {
  message.answered = true;
  if (message.place != Place::Resend) return false;
  resend_.remove(message);
  message.place = Place::Nowhere;
  return true;
}

}  // namespace sluice::mqtt
