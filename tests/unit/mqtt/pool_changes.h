// Changes of a pool's settings, for tests.
#pragma once

#include <string>
#include <vector>

#include "pool_lab.h"

namespace sluice::mqtt {

using Texts = std::vector<std::string>;

inline void connect_otherwise(PoolSettings& settings) {
  settings.connection_key += "x";
}

inline auto to_count(unsigned count) {
  return [count](PoolSettings& settings) { settings.client_ids = PoolLab::identifiers(count); };
}

/// The identifiers of all attempts so far, in their order.
inline Texts attempted(const PoolLab& lab) {
  Texts all;
  for (const auto& attempt : lab.broker.attempts)
    all.push_back(attempt->options.client_id);
  return all;
}

}  // namespace sluice::mqtt
