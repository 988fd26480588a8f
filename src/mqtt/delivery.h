// One request on its way to one broker, as the pool sees it. The ledger owns it.
#pragma once

#include <cstdint>
#include <string>

#include "base/list.h"
#include "protocol/request.h"

namespace sluice::mqtt {

class Link;
struct Device;

/// Where a message is. Only Pool and Link move it.
enum class Place {
  Nowhere,   ///< the pool does not know it
  Queue,     ///< in the pool's queue: any link may take it
  Line,      ///< waits for its device's link
  InFlight,  ///< handed to a connection, not acknowledged
  Resend,    ///< was in flight when the connection was lost; goes first on the slot's next one
  Lost,      ///< the same, but answered: keeps its device with the slot until that next one
};

/// The messages of one device in its link's line.
struct DeviceLine {};

struct Message : ListNode<>, ListNode<DeviceLine> {
  const protocol::Request* request = nullptr;  ///< outlives the message's stay in the pool
  Device* device = nullptr;
  Link* link = nullptr;
  Place place = Place::Nowhere;
  std::uint16_t packet_id = 0;
  std::uint64_t arrival = 0;       ///< in the order in which the pool accepted
  std::uint64_t sequence = 0;      ///< in the order of handing over, on one connection
  std::uint8_t oldest_deaths = 0;  ///< connections that died with this one as their oldest
  std::uint8_t lone_deaths = 0;    ///< connections that died with this one out alone
  int hang_up_code = 0;            ///< the last such death's reason code
  bool handed_over = false;        ///< at least once: it may have been published
  bool sent_again = false;         ///< an earlier connection was given it, too
  bool answered = false;           ///< settled towards the client: never to be handed over again

  std::size_t bytes() const noexcept { return request->bytes(); }
};

/// How a message left the pool.
struct Outcome {
  enum class Kind {
    Acknowledged,
    Rejected,  ///< by the broker, or because of what the broker had announced
    Dropped,   ///< it had been given up before; nothing is left to say
  };
  Kind kind = Kind::Acknowledged;
  int reason_code = 0;
  bool may_be_published = false;  ///< Rejected, but an earlier connection was given it: who knows
  std::string detail = {};
};

}  // namespace sluice::mqtt
