// One slot of a pool: a client identifier, the connection it has now, and the messages that belong
// to it: in flight, to be sent again, and its backlog behind those.
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
#include "mqtt/link/backlog.h"
#include "mqtt/link/in_flight.h"
#include "mqtt/link/poison_detector.h"
#include "mqtt/link/resend_queue.h"
#include "mqtt/link/window.h"
#include "mqtt/transport/transport.h"

namespace sluice::mqtt {

enum class LinkState : std::uint8_t {
  Idle,        ///< no connection and none wanted yet, or no more
  Connecting,  ///< an attempt is under way, up to the CONNACK
  Ready,       ///< connected: takes messages while its window is open and its socket has room
  Leaking,     ///< connected; too many acknowledgements are missing: waits for those that may come,
               ///< and is replaced
  Replacing,   ///< connected, and to be replaced by a connection with other settings: sends again
               ///< what it has to, then waits for all acknowledgements, then DISCONNECT
  Retiring,    ///< the same, and none is to follow: the slot is wanted no more
  Stopping,    ///< DISCONNECT is sent, and none is to follow
  Backoff,     ///< no connection; a new attempt comes after a delay, when the pool permits it
};
std::string_view to_string(LinkState state) noexcept;

/// For which new messages a link has room now.
enum class Room : std::uint8_t {
  None,
  ExceptQos2,  ///< as many QoS 2 messages are open as a 3.1.1 broker may be given
  ForAll,
};

/// What has happened to a link since its pool asked last.
struct LinkNews {
  bool came_up = false;            ///< Connecting is over: it is connected
  bool stopped_accepting = false;  ///< still connected, but not Ready any more
  bool has_room = false;           ///< perhaps: its window opened, or what it has may be sent again
  bool was_full = false;           ///< its socket took less than it was given
  bool wants_connection = false;   ///< its delay is over, or there was none: Link::connect()
  LinkState lost_in = LinkState::Idle;  ///< the state in which `loss` came
  std::optional<Loss> loss;             ///< an attempt or a connection is over
};

/// Does what it is told and answers by what it returns and by news(), which its pool takes after
/// each call that can have any. Only where the link has worked on its own it asks for that, by
/// has_news(). Not thread-safe. In the ConnectScheduler's
/// list while it waits for its turn there.
class Link final : public ListNode<> {
 public:
  /// What it does its work with; all of it outlives the link.
  struct Context {
    event::Loop& loop;
    const config::Broker& broker;
    Random& random;
    SharedSize& window_size;
    TransportEvents& events;  ///< for its transports
    TransportFactory factory;
    /// After a turn's end or a timer in which the link has worked on its own: take news().
    Delegate<void()> has_news;
  };
  Link(Context context, unsigned slot, std::string client_id);
  ~Link();
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  /// What has happened since the last call.
  LinkNews news() noexcept { return std::exchange(news_, {}); }
  /// The next of its Fenced deliveries of which nothing can come any more; null: there is none. Its
  /// end has to follow.
  Delivery* release_fenced() noexcept;

  // --- the connection
  /// Begins an attempt; only in Idle or Backoff.
  void connect(const std::string& address, config::Protocol protocol) noexcept;
  /// An attempt that could not even begin (the name is unknown): backs off as after a failed one.
  void fail_attempt(const Loss& loss) noexcept;
  /// The CONNACK came.
  void come_up(const Connack& connack) noexcept;
  /// The one end of each attempt and connection. What it had in flight stays with the link.
  void lose(const Loss& loss) noexcept { lose(loss, /*for_good=*/false); }
  /// Ends the delay after a failed attempt early: the broker has just taken another connection.
  void retry_now() noexcept;
  /// Keep-alive and the acknowledgement time-out; about twice a second.
  void tick() noexcept;
  /// The broker's settings have changed: takes over what holds for the connection there is, too.
  void apply_limits();
  /// The identifier for connections from now on. What a connection was given under the former one
  /// is brought to its end under that one before.
  void set_client_id(std::string client_id) { next_client_id_ = std::move(client_id); }
  /// Replaces the connection: Replacing, then it wants another one. Where there is none it wants
  /// one at once.
  void replace() noexcept;
  /// Its slot is wanted no more: Retiring if it is connected.
  void retire() noexcept;
  /// After retire(): the slot is wanted after all.
  void keep() noexcept;
  /// Ends the connection: DISCONNECT if nothing is in flight, else at once. The link goes Idle.
  void disconnect() noexcept;
  /// Ends the connection, or the wish for one, without a word. The link goes Idle.
  void close_now() noexcept;

  LinkState state() const noexcept { return state_; }
  /// There is a connection.
  bool is_connected() const noexcept { return is_connected(state_); }
  static bool is_connected(LinkState state) noexcept;
  unsigned slot() const noexcept { return slot_; }
  const std::string& client_id() const noexcept { return client_id_; }
  const std::string& wanted_client_id() const noexcept { return next_client_id_; }
  /// Under which the next connection will be made.
  const std::string& upcoming_client_id() const noexcept {
    return is_clean() ? next_client_id_ : client_id_;
  }
  const Connack& connack() const noexcept { return connack_; }
  /// How long the latest connection stood; 0 while one is connected.
  Duration latest_uptime() const noexcept { return latest_uptime_; }

  // --- deliveries
  /// There is some where it is Ready, with nothing to be sent again first, its window open and its
  /// socket not full.
  Room room() const noexcept;
  bool has_room_for(const Delivery& delivery) const noexcept;
  /// More messages are best given to this link, too: its broker is near and answers, and few are in
  /// flight, so that they share writes and reads. Says nothing of room.
  bool is_lightly_loaded() const noexcept;
  /// Sends again what a lost connection had been given.
  bool is_resending() const noexcept;
  /// As has_room_for(), for the one that is to be sent again next.
  bool can_resend() noexcept;
  /// Gives it to the connection. Needs has_room_for() it, or can_resend() for the first of
  /// resend_queue(). An outcome where it is refused: its end has to follow.
  std::optional<Outcome> hand_over(Delivery& delivery) noexcept;
  /// Takes out the one that this acknowledgement is for; null if there is none. Its end has to
  /// follow.
  Delivery* acknowledge(std::uint16_t packet_id) noexcept;
  /// It was abandoned, being InFlight or to be sent again. True if it has left the link's lists,
  /// and its end has to follow; false if that comes later.
  bool give_up(Delivery& delivery) noexcept;
  /// Takes out what resend_queue() found to be poison, its first one. Its end has to follow.
  void remove_poison() noexcept;
  /// What the connection's CONNACK says in advance against it, if anything. Only where it is
  /// connected.
  std::optional<Outcome> refusal_of(Delivery& delivery) const;
  /// Nothing that a connection was given is without its end.
  bool is_clean() const noexcept {
    return in_flight_.is_empty() && resend_queue_.is_empty() && fenced_.empty();
  }
  std::size_t in_flight() const noexcept { return in_flight_.size(); }
  /// How many may be in flight, usually: an automatic window moves.
  std::size_t window() const noexcept { return window_.usual(); }
  /// What goes first on the next connection, oldest first. Emptied by hand_over() and give_up().
  ResendQueue& resend_queue() noexcept { return resend_queue_; }
  PoisonDetector& poison() noexcept { return poison_; }
  /// Deliveries of devices bound to this link that were never handed over.
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
  /// flush() has to follow, so that acknowledgements are not waited for any longer.
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
  event::Timer timer_;  // Connecting: the CONNECT time-out; Backoff: the delay; else kTestDelay
  event::Deferred turn_end_;
  bool flushes_ = false;  // at the turn's end: one write for all that it handed over
  bool checks_replacement_ =
      false;  // at the turn's end: is the connection to be replaced or closed?
  Backoff backoff_;
  LinkNews news_;

  LinkState state_ = LinkState::Idle;
  config::Protocol protocol_ = config::Protocol::V5;
  Connack connack_;
  Window window_;
  InFlight in_flight_;
  bool was_full_ = false;               // the window, and not enough of it is free yet
  std::uint64_t newest_unflushed_ = 0;  // the sequence of the newest message a PUBACK is due for
  ResendQueue resend_queue_;
  PoisonDetector poison_{resend_queue_};
  List<Delivery> fenced_;         // abandoned, and given to a connection that is gone
  TimePoint fence_ends_{};        // the broker has ended that connection by then
  bool has_fence_ended_ = false;  // or is known to have
  Backlog backlog_;
  Loss::Kind latest_loss_ = Loss::Kind::Closed;
  TimePoint disconnect_deadline_ = TimePoint::max();  // once DISCONNECT is sent
  TimePoint ready_since_{};
  Duration latest_uptime_{};  // the latest connection, once it is lost
};

}  // namespace sluice::mqtt
