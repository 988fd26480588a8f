// The client identifiers in use, over all pools. A broker disconnects the older of two connections
// with one identifier [MQTT-3.1.4-3]. A valid configuration has no duplicates, but during a reload
// a pool may need an identifier that another pool still uses.
#pragma once

#include <map>
#include <string>
#include <unordered_map>

#include "base/delegate.h"
#include "event/loop.h"

namespace sluice::mqtt {

/// Owners are compared by address. Not thread-safe.
class ClientIdRegistry {
 public:
  /// `freed` is called at the end of a turn in which an identifier was released after an acquire()
  /// had failed.
  ClientIdRegistry(event::Loop& loop, Delegate<void()> freed) noexcept : freed_(loop, freed) {}

  /// True if the owner has `name` (a broker's address and an identifier) now. It releases the one
  /// that the owner had before; false changes nothing.
  bool acquire(const void* owner, const std::string& name);
  /// Releases the owner's identifier, if it has one.
  void release(const void* owner) noexcept;
  /// The name that the owner has; empty: none.
  std::string name_of(const void* owner) const;

 private:
  std::map<std::string, const void*> owners_;
  std::unordered_map<const void*, std::string> names_;
  bool refused_ = false;  // an acquire() has failed since the last release()
  event::Deferred freed_;
};

}  // namespace sluice::mqtt
