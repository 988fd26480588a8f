#include "mqtt/packet_ids.h"

namespace sluice::mqtt {

void PacketIds::grow() {
  std::vector<Slot> former(slots_.size() * 2);
  former.swap(slots_);
  displaced_ = 0;
  for (const Slot& slot : former) {
    if (slot.message != nullptr) put(slot.id, *slot.message);
  }
}

}  // namespace sluice::mqtt
