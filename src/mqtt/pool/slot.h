// One link of a pool, with the pool's data about it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/list.h"
#include "mqtt/link/link.h"
#include "mqtt/pool/waiters.h"
#include "mqtt/transport/transport.h"

namespace sluice::mqtt {

class Pool;
struct Slot;

/// Ready links by their room; kept by ReadyLinks.
struct ByRoom {};
/// Slots that the next pump() serves.
struct Due {};
/// Slots with a connection under former settings.
struct Outdated {};
/// Slots that hold a place among those being replaced at the same time.
struct Replacing {};
/// Slots with reserved room in their backlog.
struct Reserved {};

/// Never moves: lists point into it. Passes the reports of its connections to the pool.
struct Slot final : TransportEvents,
                    ListNode<ByRoom>,
                    ListNode<Due>,
                    ListNode<Outdated>,
                    ListNode<Replacing>,
                    ListNode<Reserved> {
  Slot(Pool& of, unsigned number, std::string client_id);

  void on_connected(const Connack& connack) noexcept override;
  void on_acknowledged(std::uint16_t packet_id, int reason_code,
                       std::string_view reason) noexcept override;
  void on_qos2_downgraded() noexcept override;
  void on_writable() noexcept override;
  void on_lost(const Loss& loss) noexcept override;
  void on_news() noexcept;

  Pool& pool;
  Link link;
  WaitList waiters = {};                     // wait for room in the link's backlog
  List<Slot, ByRoom>* listed = nullptr;      // the list in which ReadyLinks has it
  bool was_ready = false;                    // so that its next connection counts as a reconnect
  std::string last_error = {};               // of its latest lost connection or failed attempt
  std::optional<TimePoint> down_since = {};  // none: it is connected
  unsigned short_lives =
      0;  // connections that the broker closed soon, without a reason, since a long one
  std::string key = {};  // the connection key of its latest attempt
};

}  // namespace sluice::mqtt
