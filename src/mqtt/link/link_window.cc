// A link's window: when it is full, and how many acknowledgements open it again.
#include <algorithm>

#include "mqtt/link/link.h"

namespace sluice::mqtt {
namespace {

/// With 20 QoS 2 messages of a 3.1.1 client in flight (its default max_inflight_messages, which
/// 3.1.1 cannot announce) Mosquitto drops a QoS 1 message, acknowledges it and disconnects.
constexpr std::size_t kQos2WindowV311 = 16;

/// A full window opens again when one part in this many is free, so that the next messages share a
/// write instead of leaving one by one with each acknowledgement.
constexpr std::size_t kRefillPart = 4;
/// In smaller windows that part is a single slot.
constexpr std::size_t kSmallWindow = 8;
/// This many messages share writes and reads about as well as more do (8 and 16 did the same, 4 was
/// slower). Of a small window it is a quarter, so that pinned devices do not crowd one link.
constexpr std::size_t kLightLoad = 16;
constexpr std::size_t kLightPart = 4;
/// A link without an acknowledgement for this long gets no messages that may take another.
constexpr Duration kPatience{5};

bool has_room(Room room, const Delivery& delivery) noexcept {
  return room == Room::ForAll || (room == Room::ExceptQos2 && delivery.qos != 2);
}

}  // namespace

void Link::apply_limits() {
  window_.set(broker_.max_inflight);
  backoff_.set_bounds(broker_.reconnect_min, broker_.reconnect_max);
  if (note_window()) flush_soon();
}

bool Link::note_window() noexcept {
  const bool was_full = was_full_;
  const std::size_t size = window_.size();
  if (in_flight_.size() >= size) {
    // One that is closed down for a measurement opens by itself.
    was_full_ = size >= kSmallWindow && size == window_.usual();
  } else if (in_flight_.size() + size / kRefillPart <= size || in_flight_.abandoned() > 0) {
    was_full_ = false;  // what is abandoned may never be acknowledged: not waited for
  }
  return was_full && !was_full_;
}

/// The number of acknowledgements after which the window opens again.
std::size_t Link::acks_to_expect() const noexcept {
  if (!was_full_) return 1;
  const std::size_t part = window_.size() / kRefillPart;
  return std::min(in_flight_.size() + part - window_.size(), part);
}

Room Link::room_in_window() const noexcept {
  if (was_full_ || in_flight_.size() >= window_.size()) return Room::None;
  const bool is_bounded =
      protocol_ == config::Protocol::V311 && in_flight_.qos2() >= kQos2WindowV311;
  return is_bounded ? Room::ExceptQos2 : Room::ForAll;
}

Room Link::room() const noexcept {
  if (state_ != LinkState::Ready || !resend_queue_.is_empty() || poison_.is_one_at_a_time()) {
    return Room::None;
  }
  const Room room = room_in_window();
  return room != Room::None && transport_->is_congested() ? Room::None : room;
}

bool Link::has_room_for(const Delivery& delivery) const noexcept {
  return has_room(room(), delivery);
}

bool Link::is_lightly_loaded() const noexcept {
  if (!window_.is_near()) return false;
  if (in_flight_.is_empty()) return true;
  const std::size_t few = std::clamp(window_.usual() / kLightPart, std::size_t{1}, kLightLoad);
  return in_flight_.size() < few && loop_.now() - in_flight_.last_progress() < kPatience;
}

bool Link::is_resending() const noexcept {
  const bool may_send =
      state_ == LinkState::Ready || state_ == LinkState::Replacing || state_ == LinkState::Retiring;
  return may_send && !resend_queue_.is_empty();
}

bool Link::can_resend() noexcept {
  return is_resending() && !transport_->is_congested() &&
         poison_.may_send(loop_.now() - ready_since_, in_flight_.size()) &&
         has_room(room_in_window(), resend_queue_.front());
}

}  // namespace sluice::mqtt
