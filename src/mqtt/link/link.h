// One slot of a pool: a client identifier, the connection it has now, and the messages that belong
// to it: in flight, to be sent again, and its backlog behind those.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/list.h"
#include "event/loop.h"
#include "event/timer.h"
#include "mqtt/delivery.h"
#include "mqtt/link/backlog.h"
#include "mqtt/link/in_flight.h"
#include "mqtt/link/redelivery.h"
#include "mqtt/link/window.h"
#include "mqtt/transport/transport.h"

namespace sluice::mqtt {

enum class LinkState {
  Idle,        ///< no connection and none wanted yet, or no more
  Connecting,  ///< an attempt is under way, up to the CONNACK
  Ready,       ///< connected: takes messages while its window is open and its socket has room
  Backoff,     ///< no connection; a new attempt comes after a delay, when the pool permits it
  Draining,    ///< takes no messages any more: waits for acknowledgements, or DISCONNECT is sent
};
std::string_view to_string(LinkState state) noexcept;

/// For which new messages a link has room now.
enum class Room : std::uint8_t {
  None,
  ExceptQos2,  ///< as many QoS 2 messages are open as a 3.1.1 broker may be given
  ForAll,
};

/// Implemented by Pool.
class LinkEvents {
 public:
  virtual void on_link_ready(class Link& link) noexcept = 0;
  /// It takes no messages any more and is replaced once nothing can be acknowledged there.
  virtual void on_link_draining(Link& link) noexcept = 0;
  /// From Connecting, Ready or Draining to Backoff or Idle. What it had in flight stays with the
  /// link.
  virtual void on_link_lost(Link& link, LinkState former, const Loss& loss) noexcept = 0;
  /// The delay is over: permit an attempt by Link::connect().
  virtual void on_link_wants_connection(Link& link) noexcept = 0;
  /// The window opened or the socket has room again.
  virtual void on_link_progress(Link& link) noexcept = 0;
  /// The socket took less than it was given.
  virtual void on_socket_full(Link& link) noexcept = 0;
  /// The delivery has left the link's lists for good: its end, with this outcome.
  virtual void on_done(Delivery& delivery, Outcome outcome) noexcept = 0;
  /// Jitter: a number in [0, 1).
  virtual double random_unit() noexcept = 0;

 protected:
  ~LinkEvents() = default;
};

/// Not thread-safe. Owned by its Pool. In the Connector's list while it waits for its turn there.
class Link final : public TransportEvents, public ListNode<> {
 public:
  Link(event::Loop& loop, LinkEvents& events, const config::Broker& broker, unsigned slot,
       std::string client_id, SharedSize& window_size, TransportFactory factory);
  ~Link();
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  /// Begins an attempt; only in Idle or Backoff. A failure comes by on_link_lost(), perhaps at
  /// once.
  void connect(const std::string& address, config::Protocol protocol) noexcept;
  /// An attempt that could not even begin (the name is unknown): backs off as after a failed one.
  void fail_attempt(const Loss& loss) noexcept;
  /// Ends the delay after a failed attempt early: the broker has just taken another connection.
  void wake() noexcept;

  /// There is some where it is Ready, with nothing to be sent again first, its window open and its
  /// socket not full.
  Room room() const noexcept;
  bool has_room_for(const Delivery& delivery) const noexcept;
  /// As has_room_for(), for the message that is to be sent again next.
  bool can_resend() noexcept;
  /// Gives a message to the connection. Needs has_room_for() it, or can_resend() for the first of
  /// redelivery().
  void hand_over(Delivery& delivery) noexcept;

  /// It was abandoned, being InFlight or to be sent again. True if it has left the link's lists;
  /// false if on_done() is to come.
  bool give_up(Delivery& delivery) noexcept;
  /// Takes out what redelivery() found to be poison, its first one. Its end has to follow.
  void remove_poison() noexcept;
  /// What the connection's CONNACK says in advance against it, if anything. Only where Ready.
  std::optional<Outcome> refusal_of(Delivery& delivery) const;

  /// Keep-alive and the acknowledgement time-out; about twice a second.
  void tick() noexcept;
  /// The broker's settings have changed: takes over what holds for the connection there is, too.
  void apply_limits();
  /// The identifier for connections from now on. What a connection was given under the former one
  /// is brought to its end under that one before.
  void set_client_id(std::string client_id) { next_client_id_ = std::move(client_id); }
  /// Replaces the connection: no new work, all acknowledged or lost, DISCONNECT, then
  /// on_link_wants_connection(). Where there is none that comes at once.
  void renew() noexcept;
  /// The same without a successor, as soon as nothing is to be sent again: the link goes Idle.
  void leave() noexcept;
  /// After leave(): the link is wanted after all. True if it has to ask for a connection.
  bool stay() noexcept;
  bool is_leaving() const noexcept { return leaving_; }
  /// On its way to a successor or to its end: whoever waits for this very connection waits on.
  bool is_winding_up() const noexcept {
    return state_ == LinkState::Draining && (renewing_ || leaving_);
  }
  /// Nothing that a connection was given is without its end.
  bool is_clean() const noexcept {
    return in_flight_.is_empty() && redelivery_.is_empty() && fenced_.empty();
  }

  /// Ends the connection: DISCONNECT if nothing is in flight, else at once. The link goes Idle.
  void disconnect() noexcept;
  /// Ends the connection without a word. The link goes Idle.
  void abandon() noexcept;

  LinkState state() const noexcept { return state_; }
  unsigned slot() const noexcept { return slot_; }
  const std::string& client_id() const noexcept { return client_id_; }
  const std::string& wanted_client_id() const noexcept { return next_client_id_; }
  /// Under which the next connection will be made.
  const std::string& upcoming_client_id() const noexcept {
    return is_clean() ? next_client_id_ : client_id_;
  }
  const Connack& connack() const noexcept { return connack_; }
  std::size_t in_flight() const noexcept { return in_flight_.size(); }
  /// How many messages may be in flight, usually: an automatic window moves.
  std::size_t window() const noexcept { return window_.usual(); }

  /// How long the latest connection stood; 0 while one stands.
  Duration lived() const noexcept { return lived_; }
  /// What goes first on the next connection, oldest first. Emptied by hand_over() and give_up().
  Redelivery& redelivery() noexcept { return redelivery_; }
  /// Deliveries of devices bound to this link that were never handed over.
  Backlog& backlog() noexcept { return backlog_; }
  const Backlog& backlog() const noexcept { return backlog_; }

 private:
  void on_connected(const Connack& connack) noexcept override;
  void on_acknowledged(std::uint16_t packet_id, int reason_code) noexcept override;
  void on_writable() noexcept override;
  void on_lost(const Loss& loss) noexcept override;

  void enter(LinkState next) noexcept;
  void lose(const Loss& loss) noexcept;
  /// The window, or what is in flight, has changed. True if it was full and is open again: then
  /// flush() has to follow, so that acknowledgements are not waited for any longer.
  bool note_window() noexcept;
  std::size_t acknowledgements_to_wait_for() const noexcept;
  Room room_in_window() const noexcept;
  void keep_unacknowledged(const Loss& loss) noexcept;
  void let_fenced_go() noexcept;
  void leave_redelivery(Delivery& delivery) noexcept;
  void fence(Delivery& delivery) noexcept;
  void judge() noexcept;
  void wind_up() noexcept;
  void say_goodbye() noexcept;
  void replace_if_leaking() noexcept;
  Duration next_delay(const Loss& loss, bool stood) noexcept;
  void on_timer() noexcept;
  void flush() noexcept;

  event::Loop& loop_;
  LinkEvents& events_;
  const config::Broker& broker_;
  const unsigned slot_;
  std::string client_id_;
  std::string next_client_id_;
  TransportFactory factory_;
  std::unique_ptr<Transport> transport_;
  event::Timer timer_;     // Connecting: the CONNECT time-out; Backoff: the delay; Ready: kProof
  event::Deferred flush_;  // one write for all that a turn handed over
  event::Deferred judge_;  // after a turn: is the connection to be replaced, or to end?
  Backoff backoff_;

  LinkState state_ = LinkState::Idle;
  config::Protocol protocol_ = config::Protocol::V5;
  Connack connack_;
  Window window_;
  InFlight in_flight_;
  bool was_full_ = false;               // the window, and not enough of it is free yet
  std::uint64_t newest_unflushed_ = 0;  // the sequence of the newest message a PUBACK is due for
  Redelivery redelivery_;
  List<Delivery> fenced_;   // abandoned, and given to a connection that is gone
  TimePoint fence_ends_{};  // the broker has ended the connection they were given to by then
  Backlog backlog_;
  bool attempt_failed_ = false;  // the latest attempt did not lead to a connection
  bool stopping_ = false;        // no connection is to follow this one
  bool renewing_ = false;        // this connection is to be replaced
  bool leaving_ = false;         // it is to be the last one
  bool said_goodbye_ = false;
  TimePoint goodbye_ends_{};
  TimePoint ready_since_{};
  Duration lived_{};  // the latest connection, once it is lost
};

}  // namespace sluice::mqtt
