#include "mqtt/pool/client_id_registry.h"

#include <utility>

namespace sluice::mqtt {

bool ClientIdRegistry::acquire(const void* owner, const std::string& name) {
  const auto [place, is_new] = owners_.emplace(name, owner);
  if (!is_new && place->second != owner) {
    refused_ = true;
    return false;
  }
  if (!is_new) return true;
  release(owner);
  names_[owner] = name;
  return true;
}

void ClientIdRegistry::release(const void* owner) noexcept {
  const auto held = names_.find(owner);
  if (held == names_.end()) return;
  owners_.erase(held->second);
  names_.erase(held);
  if (std::exchange(refused_, false)) freed_.schedule();
}

std::string ClientIdRegistry::name_of(const void* owner) const {
  const auto held = names_.find(owner);
  return held == names_.end() ? std::string() : held->second;
}

}  // namespace sluice::mqtt
