// One slot of a pool: a client identifier, its current connection, and the slot's messages: in
// flight, to be sent again, and the backlog behind them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/delegate.h"
#include "base/list.h"
#include "base/random.h"
#include "event/loop.h"
#include "event/timer.h"
#include "mqtt/delivery.h"
#include "mqtt/link/announced_refusal.h"
#include "mqtt/link/backlog.h"
#include "mqtt/link/in_flight.h"
#include "mqtt/link/poison_detector.h"
#include "mqtt/link/resend_queue.h"
#include "mqtt/link/window.h"
#include "mqtt/transport/transport.h"

namespace sluice::mqtt {

enum class LinkState : std::uint8_t {
  Idle,        ///< no connection, and none wanted
  Connecting,  ///< an attempt is under way, up to the CONNACK
  Ready,       ///< connected: takes messages while its window is open and its socket has room
  Leaking,     ///< connected, but too many acknowledgements are lost: waits for the others, then is
               ///< replaced
  Replacing,   ///< draining before replacement by a connection with other settings: sends again
               ///< what it has to, waits for all acknowledgements, then sends DISCONNECT
  Retiring,    ///< draining like Replacing, but the slot is removed afterwards
  Stopping,    ///< DISCONNECT is sent, and no connection follows
  Backoff,     ///< no connection; the next attempt follows after a delay and the pool's permission
};
std::string_view to_string(LinkState state) noexcept;

/// The new messages for which a link has room.
enum class Room : std::uint8_t {
  None,
  ExceptQos2,  ///< its QoS 2 messages are at the limit for a 3.1.1 broker
  ForAll,
};

/// The longest delay before the next attempt of a broker without a connection, and of a refused
/// link with messages to send again.
constexpr Duration kUrgentRetry = std::chrono::seconds(2);

/// What has happened to a link since its pool last asked.
struct LinkNews {
  bool came_up = false;                 ///< the attempt succeeded: it is connected
  bool stopped_accepting = false;       ///< still connected, but no longer Ready
  bool has_room = false;                ///< it may have: its window opened, or a resend is allowed
  bool was_full = false;                ///< its socket took less than it was given
  bool wants_connection = false;        ///< no delay, or it has passed: Link::connect() may follow
  LinkState lost_in = LinkState::Idle;  ///< the state in which `loss` came
  std::optional<Loss> loss;             ///< an attempt or a connection has ended
};

/// Makes no calls upward but has_news(): its pool takes news() after each call that may change it.
/// A ListNode of the ConnectScheduler's waiting list. Not thread-safe.
class Link final : public ListNode<> {
 public:
  /// What the link works with; all of it outlives the link.
  struct Context {
    event::Loop& loop;
    const config::Broker& broker;
    Random& random;
    WindowTuner& window_tuner;
    const KnownLimits& limits;
    TransportEvents& events;  ///< gets the reports of its transports
    TransportFactory factory;
    /// Called after the link has worked at the end of a turn or in a timer: take news().
    Delegate<void()> has_news;
  };
  Link(Context context, unsigned slot, std::string client_id);
  ~Link();
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  /// Takes what has happened since the last call.
  LinkNews news() noexcept { return std::exchange(news_, {}); }
  /// Removes the next Fenced delivery whose fence has ended; null: there is none. The caller
  /// finishes it.
  Delivery* release_fenced() noexcept;

  // --- the connection
  /// Begins an attempt. Only in Idle or Backoff.
  void connect(const std::string& address, config::Protocol protocol) noexcept;
  /// For an attempt that could not begin (unknown host name): backs off as after a failed one.
  void fail_attempt(const Loss& loss) noexcept;
  /// The CONNACK came.
  void come_up(const Connack& connack) noexcept;
  /// The only end of each attempt and connection. Messages in flight are kept for a resend.
  void lose(const Loss& loss) noexcept { lose(loss, /*for_good=*/false); }
  /// Ends the delay before the next attempt. Only while is_backing_off() is true.
  void skip_delay() noexcept;
  /// Keep alive and timeouts; to be called about twice a second.
  void tick() noexcept;
  /// The broker's settings have changed: adopts those that apply to an existing connection.
  void apply_limits();
  /// The client identifier for future connections. Messages sent under the former one are settled
  /// under that first.
  void set_client_id(std::string client_id) { next_client_id_ = std::move(client_id); }
  /// Drains and replaces the connection; without one, skips the delay of the next attempt.
  void replace() noexcept;
  /// The slot was removed from the settings: drains and closes the connection.
  void retire() noexcept;
  /// The slot is in the settings, perhaps again: undoes retire().
  void keep() noexcept;
  /// Closes the connection, with DISCONNECT if nothing is in flight, and goes Idle.
  void disconnect() noexcept;
  /// Closes the connection or ends the attempt at once, without DISCONNECT, and goes Idle.
  void close_now() noexcept;

  LinkState state() const noexcept { return state_; }
  /// The delay before the next attempt runs.
  bool is_backing_off() const noexcept {
    return state_ == LinkState::Backoff && timer_.is_active();
  }
  /// How the latest attempt or connection ended.
  Loss::Kind latest_loss() const noexcept { return latest_loss_; }
  /// True from the CONNACK until the connection is lost.
  bool is_connected() const noexcept { return is_connected(state_); }
  static bool is_connected(LinkState state) noexcept;
  unsigned slot() const noexcept { return slot_; }
  const std::string& client_id() const noexcept { return client_id_; }
  const std::string& wanted_client_id() const noexcept { return next_client_id_; }
  /// The client identifier of the next connection.
  const std::string& upcoming_client_id() const noexcept {
    return is_clean() ? next_client_id_ : client_id_;
  }
  const Connack& connack() const noexcept { return connack_; }
  /// While the delay before the next attempt runs: when it ends.
  std::optional<TimePoint> delayed_until() const noexcept;
  /// How long the lost connection was up; 0 while connected.
  Duration latest_uptime() const noexcept { return latest_uptime_; }

  // --- deliveries
  /// Not None only if it is Ready, has nothing to send again, its window is open and its socket not
  /// full.
  Room room() const noexcept;
  bool has_room_for(const Delivery& delivery) const noexcept;
  /// Few messages are in flight and a near broker acknowledges them promptly: more messages should
  /// take this link, too, and share its writes and reads. Says nothing about room.
  bool is_lightly_loaded() const noexcept;
  /// It may send again, and has messages for that.
  bool is_resending() const noexcept;
  /// As has_room_for(), for the front of resend_queue().
  bool can_resend() noexcept;
  /// Hands it to the connection. Needs has_room_for(), or can_resend() for the front of
  /// resend_queue(). An outcome: it is refused, and the caller finishes it.
  std::optional<DeliveryOutcome> hand_over(Delivery& delivery) noexcept;
  /// Removes the delivery of this acknowledgement; null: there is none. The caller finishes it.
  Delivery* acknowledge(std::uint16_t packet_id) noexcept;
  /// A delivery was abandoned while InFlight or Resend. True: it has left the link's lists, and the
  /// caller finishes it; false: that comes later.
  bool give_up(Delivery& delivery) noexcept;
  /// Removes the front of resend_queue(), which is poison. The caller finishes it.
  void remove_poison() noexcept;
  /// The refusal by the limits of the CONNACK, if any. Only while connected.
  std::optional<DeliveryOutcome> refusal_of(Delivery& delivery) const;
  /// Everything handed to its connections is finished.
  bool is_clean() const noexcept {
    return in_flight_.is_empty() && resend_queue_.is_empty() && fenced_.empty();
  }
  std::size_t in_flight() const noexcept { return in_flight_.size(); }
  /// Since when the connection has waited for any acknowledgement of QoS 1 or 2; null: it awaits
  /// none.
  std::optional<TimePoint> awaits_acknowledgement_since() const noexcept {
    if (!in_flight_.awaits_acknowledgements()) return std::nullopt;
    return in_flight_.last_progress();
  }
  bool awaits_qos2() const noexcept { return in_flight_.qos2() > 0; }
  /// When the latest one of QoS 1 or 2 came, on any of its connections.
  TimePoint last_acknowledged() const noexcept { return in_flight_.last_acknowledged(); }
  bool has_resends() const noexcept { return !resend_queue_.is_empty(); }
  /// The usual window size: an automatic window adapts.
  std::size_t window() const noexcept { return window_.usual(); }
  /// What is sent first on the next connection. hand_over() and give_up() remove from it.
  ResendQueue& resend_queue() noexcept { return resend_queue_; }
  PoisonDetector& poison() noexcept { return poison_; }
  /// Deliveries of devices pinned to this link, not handed over yet.
  Backlog& backlog() noexcept { return backlog_; }
  const Backlog& backlog() const noexcept { return backlog_; }

 private:
  void enter(LinkState next) noexcept;
  void lose(const Loss& loss, bool for_good) noexcept;
  LinkState state_after(const Loss& loss, bool for_good) const noexcept;
  Duration next_delay(const Loss& loss, bool was_connected) noexcept;
  void drop_transport() noexcept;
  void keep_unacknowledged(const Loss& loss) noexcept;
  void remove_from_resend(Delivery& delivery) noexcept;
  void fence(Delivery& delivery) noexcept;
  /// The window, or what is in flight, has changed. True if it was full and is open again: then
  /// flush() has to follow, which ends the batching of acknowledgements.
  bool note_window() noexcept;
  std::size_t acks_to_expect() const noexcept;
  Room room_in_window() const noexcept;
  void flush_soon() noexcept;
  void check_replacement_soon() noexcept;
  void on_turn_end() noexcept;
  void on_timer() noexcept;
  void flush() noexcept;
  void check_replacement() noexcept;
  void stop_accepting(LinkState next) noexcept;
  bool is_leaking() noexcept;
  void replace_if_leaking() noexcept;
  bool has_sent_disconnect() const noexcept { return disconnect_deadline_ != TimePoint::max(); }
  void send_disconnect() noexcept;

  event::Loop& loop_;
  const config::Broker& broker_;
  Random& random_;
  TransportEvents& events_;
  const TransportFactory factory_;
  const Delegate<void()> has_news_;
  const unsigned slot_;
  std::string client_id_;
  std::string next_client_id_;
  std::unique_ptr<Transport> transport_;
  event::Timer timer_;  // Connecting: connect_timeout; Backoff: the delay; else kTestDelay
  event::Deferred turn_end_;
  bool flushes_ = false;             // at the turn's end: one write for all messages of the turn
  bool checks_replacement_ = false;  // at the turn's end: check_replacement()
  Backoff backoff_;
  LinkNews news_;

  LinkState state_ = LinkState::Idle;
  config::Protocol protocol_ = config::Protocol::V5;
  Connack connack_;
  const KnownLimits& limits_;
  InflightWindow window_;
  InFlight in_flight_;
  bool was_full_ = false;               // the window was full, and too little of it is free yet
  std::uint64_t newest_unflushed_ = 0;  // sequence of the newest unflushed message above QoS 0
  ResendQueue resend_queue_;
  PoisonDetector poison_{resend_queue_};
  List<Delivery> fenced_;         // abandoned, after they were handed to a lost connection
  TimePoint fence_ends_{};        // by then the broker has closed that connection
  bool has_fence_ended_ = false;  // it has closed it earlier
  Backlog backlog_;
  Loss::Kind latest_loss_ = Loss::Kind::Closed;
  TimePoint disconnect_deadline_ = TimePoint::max();  // once DISCONNECT is sent
  TimePoint ready_since_{};
  Duration latest_uptime_{};
};

}  // namespace sluice::mqtt
