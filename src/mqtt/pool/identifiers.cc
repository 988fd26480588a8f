#include "mqtt/pool/identifiers.h"

#include <utility>

namespace sluice::mqtt {

bool Identifiers::claim(const void* holder, const std::string& name) {
  const auto [place, is_new] = holders_.emplace(name, holder);
  if (!is_new && place->second != holder) {
    refused_ = true;
    return false;
  }
  if (!is_new) return true;
  release(holder);
  names_[holder] = name;
  return true;
}

void Identifiers::release(const void* holder) noexcept {
  const auto held = names_.find(holder);
  if (held == names_.end()) return;
  holders_.erase(held->second);
  names_.erase(held);
  if (std::exchange(refused_, false)) freed_.schedule();
}

std::string Identifiers::held_by(const void* holder) const {
  const auto held = names_.find(holder);
  return held == names_.end() ? std::string() : held->second;
}

}  // namespace sluice::mqtt
