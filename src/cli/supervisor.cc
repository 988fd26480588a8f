#include "cli/supervisor.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "base/log.h"
#ifdef SLUICE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

namespace sluice::cli {
namespace {

#ifdef SLUICE_SYSTEMD
void notify(const std::string& state) noexcept {
  const int sent = ::sd_notify(/*unset_environment=*/0, state.c_str());
  if (sent < 0) log::debug("NOTIFY_SOCKET: {}", std::strerror(-sent));
}

/// The time-out of the watchdog; 0: there is none.
std::chrono::microseconds watchdog_limit() noexcept {
  std::uint64_t limit = 0;
  if (::sd_watchdog_enabled(/*unset_environment=*/0, &limit) <= 0) return {};
  return std::chrono::microseconds(limit);
}
#else
void notify(const std::string&) noexcept {}

std::chrono::microseconds watchdog_limit() noexcept {
  if (std::getenv("NOTIFY_SOCKET") != nullptr) {
    log::warn("NOTIFY_SOCKET is set, but this build sends systemd no notifications");
  }
  return {};
}
#endif

std::uint64_t monotonic_microseconds() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec) / 1'000;
}

}  // namespace

Supervisor::Supervisor(event::Loop& loop)
    : first_turn_(loop, bind<&Supervisor::on_first_turn>(this)),
      watchdog_(loop, bind<&Supervisor::on_watchdog>(this)) {
  watchdog_.unref();
}

void Supervisor::start() noexcept {
  first_turn_.schedule();
}

void Supervisor::on_first_turn() noexcept {
  notify("READY=1\nSTATUS=accepting requests");
  const std::chrono::microseconds limit = watchdog_limit();
  if (limit.count() == 0) return;
  const auto half = std::chrono::duration_cast<Duration>(limit / 2);
  watchdog_.start_repeating(std::max(half, Duration(1)));
}

void Supervisor::on_watchdog() noexcept {
  notify("WATCHDOG=1");
}

void Supervisor::reloading() noexcept {
  notify(fmt::format("RELOADING=1\nMONOTONIC_USEC={}\nSTATUS=reading the configuration",
                     monotonic_microseconds()));
}

void Supervisor::reloaded(std::string_view status) noexcept {
  notify(fmt::format("READY=1\nSTATUS={}", status));
}

void Supervisor::stopping() noexcept {
  notify("STOPPING=1\nSTATUS=draining requests in progress");
}

}  // namespace sluice::cli
