// Which client identifiers are in use, over all pools. Two connections under one identifier would
// throw each other off their broker [MQTT-3.1.4-3]; a valid configuration has no two, but on the
// way from one to the next a pool may want what another still holds.
#pragma once

#include <map>
#include <string>
#include <unordered_map>

#include "base/delegate.h"
#include "event/loop.h"

namespace sluice::mqtt {

/// A holder is known by its address. Not thread-safe.
class Identifiers {
 public:
  /// `freed` is called at the end of a turn in which something was given back that somebody had
  /// asked for in vain.
  Identifiers(event::Loop& loop, Delegate<void()> freed) noexcept : freed_(loop, freed) {}

  /// True if `name`, an identifier together with its broker's address, now is the holder's. What it
  /// held before it gives back, unless the claim fails.
  bool claim(const void* holder, const std::string& name);
  /// Gives back whatever the holder has.
  void release(const void* holder) noexcept;
  /// Empty: nothing.
  std::string held_by(const void* holder) const;

 private:
  std::map<std::string, const void*> holders_;
  std::unordered_map<const void*, std::string> names_;
  bool refused_ = false;  // a claim, since something was given back last
  event::Deferred freed_;
};

}  // namespace sluice::mqtt
