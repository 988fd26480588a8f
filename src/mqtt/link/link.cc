// A link's connection, from the attempt to the loss.
#include "mqtt/link/link.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <utility>

#include "base/log.h"

namespace sluice::mqtt {
namespace {

/// A connection that was up for this long resets the back-off.
constexpr Duration kSettledAfter = std::chrono::seconds(10);

/// Used when keep alive is off.
constexpr Duration kFenceWithoutKeepAlive = std::chrono::seconds(60);

/// How long after a loss the broker may still read from the lost connection: 1.5 keep alives, of
/// which the broker's own overrides the requested one (MQTT 5, section 3.2.2.3.14).
Duration fence_of(const config::Broker& broker, const Connack& connack) noexcept {
  const unsigned keep_alive_s = connack.server_keep_alive_s.value_or(broker.keepalive_s);
  if (keep_alive_s == 0) return kFenceWithoutKeepAlive;
  return std::chrono::milliseconds(1500) * keep_alive_s;
}

constexpr unsigned bit(LinkState state) noexcept {
  return 1U << static_cast<unsigned>(state);
}

constexpr unsigned kDown = bit(LinkState::Backoff) | bit(LinkState::Idle);

/// The legal next states, by state.
constexpr unsigned kEdges[] = {
    /*Idle*/ bit(LinkState::Connecting),
    /*Connecting*/ bit(LinkState::Ready) | bit(LinkState::Replacing) | kDown,
    /*Ready*/ bit(LinkState::Leaking) | bit(LinkState::Replacing) | bit(LinkState::Retiring) |
        bit(LinkState::Stopping) | kDown,
    /*Leaking*/ bit(LinkState::Retiring) | bit(LinkState::Stopping) | kDown,
    /*Replacing*/ bit(LinkState::Retiring) | bit(LinkState::Stopping) | kDown,
    /*Retiring*/ bit(LinkState::Ready) | bit(LinkState::Replacing) | bit(LinkState::Stopping) |
        kDown,
    /*Stopping*/ bit(LinkState::Idle),
    /*Backoff*/ bit(LinkState::Connecting) | bit(LinkState::Idle),
};

[[maybe_unused]] bool is_legal(LinkState from, LinkState to) noexcept {
  return (kEdges[static_cast<std::size_t>(from)] & bit(to)) != 0;
}

}  // namespace

std::string_view to_string(LinkState state) noexcept {
  switch (state) {
    case LinkState::Idle:
      return "Idle";
    case LinkState::Connecting:
      return "Connecting";
    case LinkState::Ready:
      return "Ready";
    case LinkState::Leaking:
      return "Leaking";
    case LinkState::Replacing:
      return "Replacing";
    case LinkState::Retiring:
      return "Retiring";
    case LinkState::Stopping:
      return "Stopping";
    case LinkState::Backoff:
      return "Backoff";
  }
  return "";
}

Link::Link(Context context, unsigned slot, std::string client_id)
    : loop_(context.loop),
      broker_(context.broker),
      random_(context.random),
      events_(context.events),
      factory_(std::move(context.factory)),
      has_news_(context.has_news),
      slot_(slot),
      client_id_(client_id),
      next_client_id_(std::move(client_id)),
      timer_(loop_, bind<&Link::on_timer>(this)),
      turn_end_(loop_, bind<&Link::on_turn_end>(this)),
      backoff_(broker_.reconnect_min, broker_.reconnect_max),
      limits_(context.limits),
      window_(broker_.max_inflight, context.window_tuner) {}

Link::~Link() {
  assert(is_clean() && backlog_.is_empty());
}

bool Link::is_connected(LinkState state) noexcept {
  constexpr unsigned kConnected = bit(LinkState::Ready) | bit(LinkState::Leaking) |
                                  bit(LinkState::Replacing) | bit(LinkState::Retiring) |
                                  bit(LinkState::Stopping);
  return (kConnected & bit(state)) != 0;
}

/// The only place that changes the state.
void Link::enter(LinkState next) noexcept {
  assert(is_legal(state_, next));
  log::debug(log::Subject::slot(broker_.name, slot_), "{} -> {}", to_string(state_),
             to_string(next));
  const LinkState former = std::exchange(state_, next);
  if (!is_connected(former) || !is_connected(next)) timer_.stop();
  if (next == LinkState::Connecting) timer_.start(broker_.connect_timeout);
}

// --- the connection
// -------------------------------------------------------------------------------

void Link::connect(const std::string& address, config::Protocol protocol) noexcept {
  protocol_ = protocol;
  client_id_ = upcoming_client_id();
  enter(LinkState::Connecting);
  transport_ = factory_(events_);
  const Result<void> begun = transport_->connect(
      {.address = address, .port = broker_.port, .client_id = client_id_, .protocol = protocol});
  if (!begun) lose({Loss::Kind::Unreachable, 0, begun.error().what});
}

void Link::fail_attempt(const Loss& loss) noexcept {
  enter(LinkState::Connecting);
  lose(loss);
}

void Link::skip_delay() noexcept {
  assert(is_backing_off());
  timer_.stop();
  news_.wants_connection = true;
}

std::optional<TimePoint> Link::delayed_until() const noexcept {
  if (state_ != LinkState::Backoff || !timer_.is_active()) return std::nullopt;
  return timer_.due();
}

void Link::on_timer() noexcept {
  if (state_ == LinkState::Backoff) {
    news_.wants_connection = true;
  } else if (state_ == LinkState::Connecting) {
    lose({Loss::Kind::Unreachable, 0,
          fmt::format("no {} within {} ms", transport_->awaits(), broker_.connect_timeout.count()),
          FailureReason::Timeout});
  } else {
    news_.has_room = true;  // kTestDelay has passed
  }
  has_news_();
}

void Link::come_up(const Connack& connack) noexcept {
  connack_ = connack;
  window_.open(connack.receive_maximum.value_or(65535));
  in_flight_.open();
  was_full_ = false;
  ready_since_ = loop_.now();
  latest_uptime_ = {};
  // A connection under the former client identifier only sends again what was sent under that.
  const bool is_former = client_id_ != next_client_id_;
  enter(is_former ? LinkState::Replacing : LinkState::Ready);
  if (is_former) check_replacement_soon();
  if (poison_.is_one_at_a_time()) timer_.start(PoisonDetector::kTestDelay);
  has_fence_ended_ = true;
  news_.came_up = true;
}

void Link::lose(const Loss& loss, bool for_good) noexcept {
  const LinkState former = state_;
  const LinkState next = state_after(loss, for_good);
  latest_loss_ = loss.kind;
  news_.loss = loss;
  news_.lost_in = former;
  // A connection that sluice has closed in order to replace it is replaced without a delay.
  const bool is_at_once = loss.kind == Loss::Kind::Closed && !for_good;
  news_.wants_connection = is_at_once && former != LinkState::Stopping;
  drop_transport();
  enter(next);
  if (!is_at_once && next == LinkState::Backoff) {
    if (is_connected(former)) {
      latest_uptime_ = loop_.now() - ready_since_;
      fence_ends_ = loop_.now() + fence_of(broker_, connack_);
    }
    timer_.start(next_delay(loss, is_connected(former)));
  }
  keep_unacknowledged(loss);
}

LinkState Link::state_after(const Loss& loss, bool for_good) const noexcept {
  if (for_good || state_ == LinkState::Stopping) return LinkState::Idle;
  // An attempt that was cut short has not taken over the session of the lost connection.
  const bool is_fenced = loss.kind == Loss::Kind::Closed && is_connected();
  return is_fenced ? LinkState::Idle : LinkState::Backoff;
}

void Link::drop_transport() noexcept {
  turn_end_.cancel();
  flushes_ = false;
  checks_replacement_ = false;
  newest_unflushed_ = 0;
  disconnect_deadline_ = TimePoint::max();
  if (transport_ == nullptr) return;
  // Bytes still in the kernel must not arrive after they were sent again, or after their request
  // was answered as failed.
  transport_->drop(/*reset=*/!in_flight_.is_empty());
  loop_.retire(std::move(transport_));
}

Duration Link::next_delay(const Loss& loss, bool was_connected) noexcept {
  // Not a broker failure: reconnect after reconnect_min.
  if (loss.kind == Loss::Kind::Leaking) return broker_.reconnect_min;
  if (was_connected && latest_uptime_ >= kSettledAfter) backoff_.reset();
  if (is_lasting(loss)) {
    backoff_.raise_to_max();
    // Documented as "every reconnect_max_ms": without jitter.
    const Duration longest = backoff_.next(1.0);
    return resend_queue_.is_empty() ? longest : std::min(longest, kUrgentRetry);
  }
  return backoff_.next(random_.unit());
}

void Link::keep_unacknowledged(const Loss& loss) noexcept {
  poison_.begin_loss(in_flight_);
  resend_queue_.begin_loss();
  while (Delivery* delivery = in_flight_.take_oldest()) {
    if (delivery->is_abandoned()) {
      fence(*delivery);
    } else {
      resend_queue_.add(*delivery);
    }
  }
  poison_.note_left(0);
  // With a DISCONNECT the broker has closed the connection, and reads no more of it.
  const bool is_over = loss.kind == Loss::Kind::Disconnected && loss.reason_code != 0;
  has_fence_ended_ = is_over || state_ == LinkState::Idle;
}

void Link::tick() noexcept {
  if (is_connected() && !in_flight_.is_empty() &&
      loop_.now() - in_flight_.last_progress() >= broker_.ack_timeout) {
    lose({Loss::Kind::Silent, 0,
          fmt::format("no acknowledgement for {} ms", broker_.ack_timeout.count())});
    return;
  }
  if (loop_.now() >= disconnect_deadline_) {
    lose({Loss::Kind::Closed, 0, "disconnected; the broker did not close in time"});
    return;
  }
  if (in_flight_.abandoned() > 0) check_replacement_soon();
  const std::size_t former_size = window_.size();
  window_.tick(loop_.precise_now());
  const bool has_opened = note_window();
  if (!fenced_.empty() && loop_.now() >= fence_ends_) has_fence_ended_ = true;
  // The next message may be tested for poison, or the window is no longer closed to measure.
  if (can_resend() || has_opened || window_.size() > former_size) news_.has_room = true;
  if (has_opened) flush_soon();
  if (transport_ != nullptr) transport_->tick();
}

}  // namespace sluice::mqtt
