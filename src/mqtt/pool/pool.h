// One broker: a fixed number of links, the queue in front of them, and the rules by which a message
// gets from one to the other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/watermark.h"
#include "event/loop.h"
#include "event/timer.h"
#include "mqtt/delivery.h"
#include "mqtt/link/link.h"
#include "mqtt/pool/client_id_registry.h"
#include "mqtt/pool/connect_scheduler.h"
#include "mqtt/pool/device_table.h"
#include "mqtt/pool/pool_log.h"
#include "mqtt/pool/ready_links.h"
#include "mqtt/pool/slot.h"
#include "mqtt/pool/waiters.h"
#include "mqtt/transport/transport.h"

namespace sluice::mqtt {

class Pool;

/// Implemented by the Ledger.
class PoolEvents {
 public:
  /// The delivery is Done; it may be freed. From within accept() if it is refused at once.
  virtual void on_done(Delivery& delivery) noexcept = 0;
  /// This request, which waited, may find room now, or be told that the broker is dead. It does not
  /// wait any more. At the end of a turn; for each in its turn, until there is no more room.
  virtual void on_room(Waiter& waiter) noexcept = 0;
  /// The broker is dead from now on: what does not fit its queue is to be answered at once, also
  /// requests that wait for room at another broker.
  virtual void on_dead(Pool& pool) noexcept = 0;

 protected:
  ~PoolEvents() = default;
};

/// May a new request enter?
enum class Admission {
  Accept,
  QueueFull,        ///< the queue is at its limit, or others wait for room there: wait()
  LinkBacklogFull,  ///< its device's link has a backlog at its limit, or one that others wait for:
                    ///< wait()
  Dead,             ///< no room, and no connection to wait for
};

/// Plain counts for the operator; never reset.
struct PoolCounters {
  std::uint64_t reconnects = 0;
  std::uint64_t redelivered = 0;
  std::uint64_t socket_full = 0;
  std::uint64_t taken_over = 0;  ///< connections lost to another client with their identifier
};

/// Makes the transport of one attempt; a test passes its own.
using PoolTransportFactory = std::function<std::unique_ptr<Transport>(
    event::Loop&, TransportEvents&, const config::Broker&)>;

/// What a pool is made of; another one can take its place while the pool works.
struct PoolSettings {
  config::Broker broker;
  std::vector<std::string> client_ids;  ///< one per slot, all different at the broker's url
  PoolTransportFactory factory;
  std::string connection_key = {};  ///< connections stay while it is the same
};

/// Not thread-safe. Never blocks. Owns its links; messages belong to the ledger.
class Pool final {
 public:
  /// `registry`: shared by all pools; null where there is but one.
  Pool(event::Loop& loop, PoolEvents& events, Random& random, PoolSettings settings,
       ClientIdRegistry* registry = nullptr);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  /// Begins to connect.
  void start();
  /// Takes other settings over, without losing a message. Limits hold at once; a protocol that the
  /// broker was found not to speak is tried again with the next connection. Where the connection
  /// key or identifiers differ, connections are replaced, a few at a time: the next ones when those
  /// have come up again, so that wrong settings do not cost all of them. Slots beyond the new
  /// number end as Link::retire() says.
  void reconfigure(PoolSettings settings);
  /// The broker is removed and nothing is left to be sent: ends all connections, until
  /// connections() is 0. reconfigure() turns that back at any time.
  void close_all();
  /// An identifier that somebody held may be free now.
  void retry() noexcept { scheduler_.retry(); }
  /// Holds no message, not even one that was abandoned.
  bool is_empty() const noexcept { return devices_.size() + qos0_devices_.size() == 0; }

  /// What a connection's CONNACK says in advance against it, if anything.
  std::optional<Outcome> refusal_of(Delivery& delivery) const;
  /// `in_turn`: for the client that is being served; any other waits behind those that wait.
  Admission admission(const protocol::Request& request, bool in_turn) noexcept;
  /// The request was refused for want of room just now: on_room() follows, once what it waits for
  /// is filled to less than three quarters, or is not what it waits for any more.
  void wait(Waiter& waiter, const protocol::Request& request, Admission refused);
  void stop_waiting(Waiter& waiter) noexcept;

  /// For how many more requests like this one there is room, up to `most`. 0 at a dead broker.
  unsigned room_for(const protocol::Request& like, unsigned most) noexcept;
  /// Keeps that room free for the client whose turn it is; all others find it taken.
  void reserve(const protocol::Request& like, unsigned requests) noexcept;
  /// This request, about to be offered, may take a place that was reserved for one of `bytes`.
  void use_reserved(const protocol::Request& request, std::size_t bytes) noexcept;
  /// Places that were reserved for requests of `bytes` are free for all.
  void release_reserved(unsigned requests, std::size_t bytes) noexcept;

  /// Takes the message, whatever admission() would say now. It may be handed over at once.
  void accept(Delivery& delivery) noexcept;
  /// Abandons it: it goes to no connection after this. It is Done now, or on_done() is to come.
  void give_up(Delivery& delivery) noexcept;

  /// Ends all connections: DISCONNECT where nothing is in flight. Nothing is accepted any more.
  void stop() noexcept;
  /// Ends what stop() has not ended yet, without waiting.
  void close_now() noexcept;
  bool is_stopped() const noexcept;

  const std::string& name() const noexcept { return broker_.name; }
  const config::Broker& broker() const noexcept { return broker_; }
  const std::string& connection_key() const noexcept { return connection_key_; }
  std::size_t ready_links() const noexcept { return ready_; }
  /// Without a connection for dead_after_ms, or since the start.
  bool is_dead() const noexcept;
  std::size_t queued() const noexcept { return totals_.waiting.items(); }
  std::size_t queued_bytes() const noexcept { return totals_.waiting.bytes(); }
  /// Requests for which there is no room.
  std::size_t waiters() const noexcept { return waiters_.size(); }
  std::size_t in_flight() const noexcept;
  std::size_t connections() const noexcept { return slots_.size(); }
  const Link& link(std::size_t slot) const noexcept { return slots_[slot]->link; }
  const PoolCounters& counters() const noexcept { return counters_; }

 private:
  friend struct Slot;
  Link::Context link_context(Slot& slot) noexcept;
  void take_acknowledgement(Slot& slot, std::uint16_t packet_id, int reason_code) noexcept;
  void take_news(Slot& slot) noexcept;
  void note_ready(Slot& slot) noexcept;
  void note_lost(Slot& slot, const Loss& loss, LinkState lost_in) noexcept;
  void attempt(Link& link, const Result<std::string>& address) noexcept;
  void finish(Delivery& delivery, Outcome outcome) noexcept;

  Slot& slot_of(const Link& link) noexcept { return *slots_[link.slot()]; }
  void limit_backlog(Link& link) const noexcept;
  void add_slot(std::string client_id);
  void resize(const std::vector<std::string>& client_ids);
  void reap_removed() noexcept;
  void continue_replacing() noexcept;
  void note_outdated(Slot& slot) noexcept;
  void note_replaced(Slot& slot) noexcept;
  void unlist(Slot& slot) noexcept;
  bool is_current(const Slot& slot) const noexcept;
  /// Not beyond the number of connections that the settings want.
  bool is_wanted(const Slot& slot) const noexcept { return slot.link.slot() < wanted_slots_; }
  bool may_connect(Link& link) noexcept;
  std::string next_client_id_name(const Link& link) const;
  void release_unused_client_id(const Link& link) noexcept;
  bool has_budget_for(const Delivery& delivery) noexcept;
  DeviceTable& table_for(std::uint8_t qos) noexcept { return qos == 0 ? qos0_devices_ : devices_; }
  Slot* slot_bound_to(const protocol::Request& request) noexcept;
  void note_room_in_backlog(Slot& slot) noexcept;
  void note_unbound(const Delivery& delivery) noexcept;
  void serve_waiters() noexcept;
  void after_reservation() noexcept;
  void tidy(Delivery& delivery) noexcept;
  Link* pinned_link(const Delivery& delivery) noexcept;
  Link* qos0_link_of(const Delivery& delivery) noexcept;
  static bool keeps_qos0_affinity(const Link& link) noexcept;
  static bool has_qos0_affinity(Device& device) noexcept;
  void hand_over(Link& link, Delivery& delivery) noexcept;
  void enqueue(Delivery& delivery) noexcept;
  void pin(Link& link, Delivery& delivery) noexcept;
  void unlink(Delivery& delivery) noexcept;
  void take_from_backlog(Slot& slot, Delivery& delivery) noexcept;
  void release(Delivery& delivery) noexcept;
  void reject_poison(Link& link) noexcept;
  void note_disconnect(Link& link, const Loss& loss) noexcept;
  void clear_all_strikes() noexcept;
  void note_takeover(Link& link, const Loss& loss) noexcept;
  void note_may_send(Slot& slot) noexcept;
  void pump() noexcept;
  void pump_link(Slot& slot) noexcept;
  void pump_older(Link& link) noexcept;
  void pump_queue() noexcept;
  bool pump_front(Link* taker) noexcept;
  Link* link_with_room(const Delivery& delivery, Link* taker) noexcept;
  void unpin_all(Slot& slot) noexcept;
  void unpin(Device& device) noexcept;
  void move_to_queue(Slot& slot, Delivery& delivery, Delivery* position) noexcept;
  void on_tick() noexcept;
  void on_dead_timer() noexcept;

  event::Loop& loop_;
  PoolEvents& events_;
  Random& random_;
  config::Broker broker_;
  PoolLog log_;
  PoolTransportFactory factory_;
  std::string connection_key_;
  ClientIdRegistry* registry_;
  ConnectScheduler scheduler_;
  SharedSize window_size_;
  // Those that are wanted, and behind them those that are leaving.
  std::vector<std::unique_ptr<Slot>> slots_;
  std::size_t wanted_slots_ = 0;
  ReadyLinks ready_links_;
  List<Slot, Due> due_;            // may have something of their own to send: for the next pump()
  List<Slot, Outdated> outdated_;  // to be replaced, in turn
  List<Slot, Replacing> replacing_;
  List<Slot, Reserved> reserved_;
  std::vector<Link*> qos0_affinity_;  // by device: the link that its QoS 0 messages take
  event::Deferred replace_;           // goes on replacing connections
  event::Deferred pump_;
  event::Timer tick_;
  event::Timer dead_timer_;
  PoolCounters counters_;

  DeviceTable devices_;       // for QoS 1 and 2
  DeviceTable qos0_devices_;  // for QoS 0, whose messages have an order of their own
  List<Delivery> queue_;      // Queued
  Totals totals_;
  std::uint64_t arrivals_ = 0;
  bool waits_for_inflight_bytes_ =
      false;  // a message waits for inflight_bytes; none overtakes it there
  Waiters waiters_;
  WaitList queue_waiters_;  // for room in the queue; awake whenever there are any
  bool serves_above_low_mark_ =
      false;  // waiters were stopped by reserved room only, above the low mark too

  std::size_t ready_ = 0;
  bool has_strikes_ = false;  // a link may have noted one since the last clear_all_strikes()
  bool was_connected_ = false;
  bool started_ = false;
  bool stopped_ = false;
  TimePoint last_connected_{};
  bool has_warned_of_properties_ = false;
};

}  // namespace sluice::mqtt
