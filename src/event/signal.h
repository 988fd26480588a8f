// A Unix signal as an event of the loop.
#pragma once

#include "base/delegate.h"
#include "event/handle.h"

namespace sluice::event {

class Loop;

/// Calls its delegate each time the signal arrives, as long as it lives. Does not keep the loop
/// running. Installing a handler is also what makes SIGTERM work for PID 1.
class Signal {
 public:
  Signal(Loop& loop, int number, Delegate<void()> arrived);
  Signal(const Signal&) = delete;
  Signal& operator=(const Signal&) = delete;

 private:
  Delegate<void()> arrived_;
  Handle<uv_signal_s> handle_;
};

}  // namespace sluice::event
