// A message on its way to one broker, from its first queue to its outcome, and the totals that a
// pool keeps of its messages. The ledger owns it, pool and link move it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/list.h"
#include "base/watermark.h"
#include "protocol/request.h"

namespace sluice::mqtt {

class Link;
struct Delivery;

/// Where a delivery is. It is in at most one list, of its pool or of a link.
enum class State : std::uint8_t {
  Idle,      ///< no pool has taken it; in no list
  Queued,    ///< in the pool's queue: any link may take it
  Pinned,    ///< in the backlog of the link that its device is bound to
  InFlight,  ///< handed to a connection, not acknowledged
  Resend,    ///< was in flight when the connection was lost; sent first on the slot's next one
  Fenced,    ///< the same, but abandoned: pins its device to the slot until the broker can read
             ///< nothing more from the lost connection
  Done,      ///< its outcome is known, and no pool refers to it; in no list
};
std::string_view to_string(State state) noexcept;

/// How a delivery ended.
struct DeliveryOutcome {
  enum class Kind : std::uint8_t {
    Acknowledged,
    Rejected,  ///< by the broker, or because of what the broker had announced
    GivenUp,   ///< its deadline passed, or its source withdrew it
  };
  Kind kind = Kind::GivenUp;
  int reason_code = 0;
  bool may_be_published = false;  ///< it was handed to a connection, and the result is not known
  std::string detail = {};
};

/// List tag: the deliveries of one device in its link's backlog.
struct OfDevice {};

/// One device with deliveries in a pool. They keep their order because all of them go through one
/// link, and those in the queue are older than any that would join the link's backlog.
struct Device {
  std::int64_t id = 0;
  Link* link = nullptr;             ///< while it has anything unacknowledged or pinned there
  std::uint32_t unacked = 0;        ///< InFlight, Resend and Fenced
  std::uint32_t queued = 0;         ///< Queued
  List<Delivery, OfDevice> pinned;  ///< Pinned
};

/// Totals over a pool's deliveries.
struct Totals {
  Watermark waiting;               ///< Queued and Pinned
  std::size_t inflight_bytes = 0;  ///< InFlight
};

/// Pool and link own its lists, and link and unlink it; move_to() keeps the totals. Reusable after
/// reset().
struct Delivery : ListNode<>, ListNode<OfDevice> {
  /// What to deliver; the request lives until the delivery is Done or abandoned. Only while Idle.
  void set_request(const protocol::Request& of) noexcept;
  /// The only writer of the state. Asserts that the edge is legal, and that the delivery has left
  /// the list of its former state and joined that of the next. Keeps the totals of device and pool.
  void move_to(State next) noexcept;
  /// From any state but Done: it is handed to no connection any more, and its request may be freed.
  /// Its outcome is GivenUp, even if an acknowledgement comes later.
  void abandon() noexcept;
  /// Done, with this outcome unless it was abandoned.
  void finish(DeliveryOutcome with) noexcept;
  /// Back to the initial state. Only while Idle or Done.
  void reset() noexcept;

  State state() const noexcept { return state_; }
  bool is_abandoned() const noexcept { return abandoned_; }
  /// Its outcome is known: abandoned, or Done.
  bool is_settled() const noexcept { return abandoned_ || state_ == State::Done; }
  /// A pool refers to it.
  bool is_held() const noexcept { return state_ != State::Idle && state_ != State::Done; }

  const protocol::Request* request = nullptr;  ///< null once it is abandoned
  std::int64_t device_id = 0;
  std::size_t bytes = 0;  ///< what the request counts for in memory limits
  std::uint8_t qos = 0;
  bool handed_over = false;            ///< at least once: it may have been published
  bool sent_again = false;             ///< it was handed to an earlier connection, too
  std::uint16_t packet_id = 0;         ///< while InFlight, if it got one
  std::uint64_t arrival = 0;           ///< order in which the pool accepted
  std::uint64_t sequence = 0;          ///< order of handing over, on one connection
  std::uint64_t cleared_for = 0;       ///< announcement_of() the CONNACK that does not refuse it
  Totals* totals = nullptr;            ///< of the pool that holds it
  Device* device = nullptr;            ///< while a pool refers to it
  Link* link = nullptr;                ///< set from Pinned or InFlight on
  std::uint8_t strikes_as_oldest = 0;  ///< disconnects with this one oldest in flight
  std::uint8_t strikes_alone = 0;      ///< disconnects with this one alone in flight
  int strike_code = 0;                 ///< the reason code of the latest of these
  DeliveryOutcome outcome;             ///< once it is settled

 private:
  void count(State at, bool enters) noexcept;
  bool is_listed_for(State next) const noexcept;

  State state_ = State::Idle;
  bool abandoned_ = false;
  [[no_unique_address]] ListMark listed_in_;  // after the latest move
};

}  // namespace sluice::mqtt
