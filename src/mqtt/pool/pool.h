// One broker: a fixed number of links, the queue in front of them, and the rules by which messages
// go from the queue to a link.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/watermark.h"
#include "event/loop.h"
#include "event/timer.h"
#include "mqtt/delivery.h"
#include "mqtt/link/link.h"
#include "mqtt/pool/ack_watch.h"
#include "mqtt/pool/client_id_registry.h"
#include "mqtt/pool/connect_scheduler.h"
#include "mqtt/pool/device_table.h"
#include "mqtt/pool/pool_log.h"
#include "mqtt/pool/ready_links.h"
#include "mqtt/pool/rejected_topics.h"
#include "mqtt/pool/slot.h"
#include "mqtt/pool/waiters.h"
#include "mqtt/transport/transport.h"

namespace sluice::mqtt {

class Pool;

/// Implemented by the Ledger.
class PoolEvents {
 public:
  /// The delivery is Done and may be freed. Called within accept() if it is refused at once.
  virtual void on_done(Delivery& delivery) noexcept = 0;
  /// A waiting request may find room now, or is to be answered because the broker is dead. It no
  /// longer waits. Called at the end of a turn, for one request after the other while there is
  /// room.
  virtual void on_room(Waiter& waiter) noexcept = 0;
  /// The broker is dead from now on: requests that do not fit its queue are to be answered at once,
  /// also those that wait for room at another broker.
  virtual void on_dead(Pool& pool) noexcept = 0;

 protected:
  ~PoolEvents() = default;
};

/// Admission control for one request.
enum class Admission {
  Accept,
  QueueFull,        ///< the queue is at its limit, or requests wait for it: wait()
  LinkBacklogFull,  ///< the same for the backlog of the link to which the device is pinned: wait()
  Dead,             ///< the broker is dead, and has no room or refuses what comes meanwhile
};

/// Counters for the operator; reset only if the broker gets another name.
struct PoolCounters {
  std::uint64_t reconnects = 0;
  std::uint64_t redelivered = 0;
  std::uint64_t socket_full = 0;
  std::uint64_t taken_over = 0;  ///< connections lost to a client with the same identifier
  /// Failed attempts, by FailureReason.
  std::array<std::uint64_t, kFailureReasons> connect_failures{};
};

/// For the operator, of a broker or of one of its slots.
struct ConnectionStatus {
  /// The latest lost connection or failed attempt, also once one is up again; empty: none yet.
  const std::string& last_error;
  std::optional<TimePoint> down_since{};    ///< none: it is connected
  std::optional<TimePoint> next_attempt{};  ///< none: nothing waits for one
};

/// Makes the transport of one attempt; tests pass their own.
using PoolTransportFactory = std::function<std::unique_ptr<Transport>(
    event::Loop&, TransportEvents&, const config::Broker&)>;

/// A pool's settings; reconfigure() replaces them at run time.
struct PoolSettings {
  config::Broker broker;
  std::vector<std::string> client_ids;  ///< one per slot, unique at the broker's url
  PoolTransportFactory factory;
  std::string connection_key = {};  ///< connections are kept while it is the same
};

/// Owns its links; the ledger owns the messages. Never blocks. Not thread-safe.
class Pool final {
 public:
  /// `registry` is shared by all pools; null with a single pool.
  Pool(event::Loop& loop, PoolEvents& events, Random& random, PoolSettings settings,
       ClientIdRegistry* registry = nullptr);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  /// Starts connecting.
  void start();
  /// Adopts new settings without losing a message. Limits apply at once. If the connection key or
  /// client identifiers differ, connections are replaced a quarter at a time, the next ones once
  /// those are up again, so that wrong settings do not cost all. Removed slots end by
  /// Link::retire().
  void reconfigure(PoolSettings settings);
  /// For a removed broker with no messages left: closes all connections, until connections() is 0.
  /// reconfigure() reverts that at any time.
  void close_all();
  /// A client identifier was freed: retries refused attempts.
  void retry() noexcept { scheduler_.retry(); }
  /// Holds no message, not even an abandoned one.
  bool is_empty() const noexcept { return devices_.size() + qos0_devices_.size() == 0; }

  /// The refusal by the settings, by the limits of a connection's CONNACK, or because the broker
  /// has just disconnected on a message of the same device and topic; if any.
  std::optional<DeliveryOutcome> refusal_of(Delivery& delivery);
  /// `in_turn`: for the waiting request that is being served; others queue behind those that wait.
  Admission admission(const protocol::Request& request, bool in_turn) noexcept;
  /// For a request just refused for lack of room. on_room() follows once what it waits for is below
  /// three quarters of its limit, its device is no longer pinned there, reserved room is released,
  /// or the broker is dead.
  void wait(Waiter& waiter, const protocol::Request& request, Admission refused);
  void stop_waiting(Waiter& waiter) noexcept;

  /// The number of requests like this one for which there is room, up to `most`; 0 if dead.
  unsigned room_for(const protocol::Request& like, unsigned most) noexcept;
  /// Reserves that room for the client being served.
  void reserve(const protocol::Request& like, unsigned requests) noexcept;
  /// This request, offered next, takes a place that was reserved for one of `bytes`.
  void use_reserved(const protocol::Request& request, std::size_t bytes) noexcept;
  /// Releases places that were reserved for requests of `bytes` each.
  void release_reserved(unsigned requests, std::size_t bytes) noexcept;

  /// Takes the message without asking admission(). It may be handed over at once.
  void accept(Delivery& delivery) noexcept;
  /// Abandons it: it is handed over no more. It is Done now, or on_done() follows later.
  void give_up(Delivery& delivery) noexcept;

  /// Closes all connections, with DISCONNECT where nothing is in flight. Accepts nothing any more.
  void stop() noexcept;
  /// Closes at once what stop() has not closed yet.
  void close_now() noexcept;
  bool is_stopped() const noexcept;

  const std::string& name() const noexcept { return broker_.name; }
  const config::Broker& broker() const noexcept { return broker_; }
  const std::string& connection_key() const noexcept { return connection_key_; }
  std::size_t ready_links() const noexcept { return ready_; }
  /// No connection for dead_after, or none since the start.
  bool is_dead() const noexcept;
  std::size_t queued() const noexcept { return totals_.waiting.items(); }
  std::size_t queued_bytes() const noexcept { return totals_.waiting.bytes(); }
  /// Requests that wait for room.
  std::size_t waiters() const noexcept { return waiters_.size(); }
  std::size_t in_flight() const noexcept;
  std::size_t connections() const noexcept { return slots_.size(); }
  const Link& link(std::size_t slot) const noexcept { return slots_[slot]->link; }
  const PoolCounters& counters() const noexcept { return counters_; }
  ConnectionStatus status() const;
  ConnectionStatus status_of(std::size_t slot) const;
  /// While it has connections but acknowledges nothing: since when. See AckWatch.
  std::optional<TimePoint> silent_since() const noexcept;
  /// It has a connection, and acknowledges what it was handed.
  bool is_working() const noexcept { return ready_ > 0 && !ack_watch_.silent_since(); }
  /// What keeps it from working: "no connection: Connection refused", "no acknowledgement for 6 s".
  std::string outage() const;
  /// "broker o2o has no connection: Connection refused"; only while it is not working.
  std::string describe_outage() const;
  /// It is dead, and the settings say that it then takes nothing.
  bool is_refusing() const noexcept {
    return broker_.when_dead == config::WhenDead::Refuse && is_dead();
  }

 private:
  friend struct Slot;
  Link::Context link_context(Slot& slot) noexcept;
  void take_acknowledgement(Slot& slot, std::uint16_t packet_id, int reason_code,
                            std::string_view reason) noexcept;
  void note_qos2_downgrade() noexcept;
  static KnownLimits limits_of(const config::Broker& broker) noexcept;
  void take_news(Slot& slot) noexcept;
  void note_ready(Slot& slot) noexcept;
  void note_lost(Slot& slot, const Loss& loss, LinkState lost_in) noexcept;
  void note_error(Slot& slot, const Loss& loss, LinkState lost_in);
  std::optional<TimePoint> next_attempt(const Slot& slot) const noexcept;
  void attempt(Link& link, const Result<std::string>& address) noexcept;
  void finish(Delivery& delivery, DeliveryOutcome outcome) noexcept;

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
  /// Its number is below that of the connections in the settings.
  bool is_wanted(const Slot& slot) const noexcept { return slot.link.slot() < wanted_slots_; }
  bool may_connect(Link& link) noexcept;
  bool is_place_for_another(Link& link) const noexcept;
  bool wants_connection(const Slot& slot) const noexcept;
  void retry_others(bool also_refused) noexcept;
  void hurry() noexcept;
  std::string next_client_id_name(const Link& link) const;
  void release_unused_client_id(const Link& link) noexcept;
  bool has_budget_for(const Delivery& delivery) noexcept;
  DeviceTable& table_for(std::uint8_t qos) noexcept { return qos == 0 ? qos0_devices_ : devices_; }
  Slot* slot_bound_to(const protocol::Request& request) noexcept;
  void note_room_in_backlog(Slot& slot) noexcept;
  void note_unbound(const Delivery& delivery) noexcept;
  void serve_waiters() noexcept;
  void refuse_queued() noexcept;
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
  void note_lone_takeover() noexcept;
  bool is_lone_takeover(const Link& link) const noexcept;
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
  void check_acknowledgements() noexcept;
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
  WindowTuner window_tuner_;
  KnownLimits limits_;  // from the settings, but QoS 1 once the broker was found not to support 2
  RejectedTopics rejected_topics_;
  // Those in the settings, and behind them those that are being removed.
  std::vector<std::unique_ptr<Slot>> slots_;
  std::size_t wanted_slots_ = 0;
  ReadyLinks ready_links_;
  List<Slot, Due> due_;            // may have resends or a backlog to send: for the next pump()
  List<Slot, Outdated> outdated_;  // to be replaced, in turn
  List<Slot, Replacing> replacing_;
  List<Slot, Reserved> reserved_;
  std::vector<Link*> qos0_affinity_;  // by a device's hash: the link of its QoS 0 messages
  event::Deferred replace_;           // runs continue_replacing()
  event::Deferred pump_;
  event::Timer tick_;
  event::Timer dead_timer_;
  AckWatch ack_watch_;
  PoolCounters counters_;

  DeviceTable devices_;       // for QoS 1 and 2
  DeviceTable qos0_devices_;  // for QoS 0, which has an order of its own
  List<Delivery> queue_;      // Queued
  Totals totals_;
  std::uint64_t arrivals_ = 0;
  bool waits_for_inflight_bytes_ = false;  // a message does, and none may overtake it
  Waiters waiters_;
  WaitList queue_waiters_;              // wait for room in the queue; awake unless empty
  bool serves_above_low_mark_ = false;  // once: only reserved room had stopped the waiters

  std::size_t ready_ = 0;
  std::size_t next_hurried_ = 0;  // the slot at which hurry() begins to look
  const TimePoint created_at_;
  TimePoint last_connected_{};
  std::string last_error_;       // of any slot
  std::string outage_reason_;    // the same, since a connection was up or other settings came
  unsigned lone_takeovers_ = 0;  // in a row, with hardly any other connection up
  bool has_strikes_ = false;     // a link may have noted one since the last clear_all_strikes()
  bool was_connected_ = false;
  bool started_ = false;
  bool stopped_ = false;
  bool has_warned_of_properties_ = false;
};

}  // namespace sluice::mqtt
