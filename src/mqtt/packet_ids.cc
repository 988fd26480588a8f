#include "mqtt/packet_ids.h"

namespace sluice::mqtt {

void PacketIds::resize(std::size_t places) {
  std::vector<Slot> former(places);
  former.swap(slots_);
  displaced_ = 0;
  for (const Slot& slot : former) {
    if (slot.message != nullptr) put(slot.id, *slot.message);
  }
}

}  // namespace sluice::mqtt
