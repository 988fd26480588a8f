// Signals that arrive before anything can handle them.
#pragma once

#include <csignal>

namespace sluice::cli {

/// Holds SIGHUP and SIGUSR1 back as long as it lives: until something watches them they would end
/// the process. Threads that start meanwhile never get them.
class HeldSignals {
 public:
  HeldSignals() noexcept {
    sigset_t held;
    ::sigemptyset(&held);
    ::sigaddset(&held, SIGHUP);
    ::sigaddset(&held, SIGUSR1);
    ::pthread_sigmask(SIG_BLOCK, &held, &former_);
  }
  ~HeldSignals() { ::pthread_sigmask(SIG_SETMASK, &former_, nullptr); }
  HeldSignals(const HeldSignals&) = delete;
  HeldSignals& operator=(const HeldSignals&) = delete;

 private:
  sigset_t former_;
};

}  // namespace sluice::cli
