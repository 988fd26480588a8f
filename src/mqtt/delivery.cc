#include "mqtt/delivery.h"

#include <cassert>
#include <utility>

namespace sluice::mqtt {
namespace {

constexpr unsigned bit(State state) noexcept {
  return 1U << static_cast<unsigned>(state);
}

/// The legal next states, by state.
constexpr unsigned kEdges[] = {
    /*Idle*/ bit(State::Queued) | bit(State::Pinned) | bit(State::InFlight) | bit(State::Done),
    /*Queued*/ bit(State::Pinned) | bit(State::InFlight) | bit(State::Done),
    /*Pinned*/ bit(State::Queued) | bit(State::InFlight) | bit(State::Done),
    /*InFlight*/ bit(State::Resend) | bit(State::Fenced) | bit(State::Done),
    /*Resend*/ bit(State::InFlight) | bit(State::Fenced) | bit(State::Done),
    /*Fenced*/ bit(State::Done),
    /*Done*/ 0,
};

[[maybe_unused]] bool is_legal(State from, State to) noexcept {
  return (kEdges[static_cast<std::size_t>(from)] & bit(to)) != 0;
}

}  // namespace

std::string_view to_string(State state) noexcept {
  switch (state) {
    case State::Idle:
      return "Idle";
    case State::Queued:
      return "Queued";
    case State::Pinned:
      return "Pinned";
    case State::InFlight:
      return "InFlight";
    case State::Resend:
      return "Resend";
    case State::Fenced:
      return "Fenced";
    case State::Done:
      return "Done";
  }
  return "";
}

void Delivery::set_request(const protocol::Request& of) noexcept {
  assert(state_ == State::Idle);
  request = &of;
  device_id = of.device_id;
  bytes = of.bytes();
  qos = of.qos;
}

void Delivery::move_to(State next) noexcept {
  assert(is_legal(state_, next));
  assert(is_listed_for(next));
  count(state_, /*enters=*/false);
  count(next, /*enters=*/true);
  listed_in_ = ListNode<>::list();
  state_ = next;
}

/// It has left the list of its former state and joined that of the next one, if that has a list.
bool Delivery::is_listed_for(State next) const noexcept {
  const bool is_in_one = ListNode<>::is_linked();
  const bool has_left = !is_in_one || !(ListNode<>::list() == listed_in_);
  const bool has_joined = is_in_one == (next != State::Done);
  return has_left && has_joined && ListNode<OfDevice>::is_linked() == (next == State::Pinned);
}

void Delivery::count(State at, bool enters) noexcept {
  const auto by = static_cast<std::uint32_t>(enters ? 1 : -1);
  switch (at) {
    case State::Queued:
      device->queued += by;
      [[fallthrough]];
    case State::Pinned:
      enters ? totals->waiting.add(bytes) : totals->waiting.remove(bytes);
      return;
    case State::InFlight:
      totals->inflight_bytes += enters ? bytes : std::size_t{0} - bytes;
      [[fallthrough]];
    case State::Resend:
    case State::Fenced:
      device->unacked += by;
      return;
    case State::Idle:
    case State::Done:
      return;
  }
}

void Delivery::abandon() noexcept {
  assert(state_ != State::Done && !abandoned_);
  abandoned_ = true;
  request = nullptr;
  outcome = {.kind = DeliveryOutcome::Kind::GivenUp, .may_be_published = handed_over};
}

void Delivery::finish(DeliveryOutcome with) noexcept {
  if (!abandoned_) outcome = std::move(with);
  move_to(State::Done);
}

void Delivery::reset() noexcept {
  assert(!is_held());
  request = nullptr;
  device_id = 0;
  bytes = 0;
  qos = 0;
  handed_over = false;
  sent_again = false;
  packet_id = 0;
  arrival = 0;
  sequence = 0;
  cleared_for = 0;
  totals = nullptr;
  device = nullptr;
  link = nullptr;
  strikes_as_oldest = 0;
  strikes_alone = 0;
  strike_code = 0;
  outcome = {};
  state_ = State::Idle;
  abandoned_ = false;
}

}  // namespace sluice::mqtt
