#include "cli/supervisor.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <utility>

#include "base/log.h"
#include "event/descriptor.h"

namespace sluice::cli {
namespace {

constexpr Duration kRetry = std::chrono::milliseconds(100);

std::string_view variable(const char* name) noexcept {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string_view() : std::string_view(value);
}

/// 0: it is no number.
std::uint64_t number_in(const char* name) noexcept {
  const std::string_view text = variable(name);
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? number : 0;
}

/// The time-out of the watchdog; 0: there is none.
std::chrono::microseconds watchdog_limit() noexcept {
  const bool is_for_another = !variable("WATCHDOG_PID").empty() &&
                              number_in("WATCHDOG_PID") != static_cast<std::uint64_t>(::getpid());
  return std::chrono::microseconds(is_for_another ? 0 : number_in("WATCHDOG_USEC"));
}

std::uint64_t monotonic_microseconds() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec) / 1'000;
}

/// The socket is full, or the process is short of something.
bool is_for_now(int error) noexcept {
  return error == EAGAIN || error == EWOULDBLOCK || error == EINTR || error == ENOBUFS ||
         error == ENOMEM || error == EMFILE || error == ENFILE;
}

}  // namespace

Supervisor::Supervisor(event::Loop& loop)
    : first_turn_(loop, bind<&Supervisor::on_first_turn>(this)),
      watchdog_(loop, bind<&Supervisor::on_watchdog>(this)),
      retry_(loop, bind<&Supervisor::send_unsent>(this)) {
  watchdog_.unref();
  retry_.unref();
  read_address(variable("NOTIFY_SOCKET"));
}

/// A path, or "@" and an abstract name.
void Supervisor::read_address(std::string_view name) {
  if (name.empty()) return;
  const bool is_abstract = name.front() == '@';
  if ((!is_abstract && name.front() != '/') || name.size() >= sizeof(address_.sun_path)) {
    log::warn("NOTIFY_SOCKET: cannot use \"{}\": expected a path or @NAME; not notifying", name);
    return;
  }
  address_.sun_family = AF_UNIX;
  name.copy(address_.sun_path, name.size());
  if (is_abstract) address_.sun_path[0] = '\0';
  // Only a path ends with a NUL.
  address_size_ =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size() + (is_abstract ? 0 : 1));
}

void Supervisor::start() noexcept {
  first_turn_.schedule();
}

void Supervisor::on_first_turn() noexcept {
  notify("READY=1\nSTATUS=accepting requests");
  const std::chrono::microseconds limit = watchdog_limit();
  if (limit.count() == 0 || address_size_ == 0) return;
  const auto half = std::chrono::duration_cast<Duration>(limit / 2);
  watchdog_.start_repeating(std::max(half, Duration(1)));
}

/// A full socket loses it: the next one follows.
void Supervisor::on_watchdog() noexcept {
  if (unsent_.empty()) send("WATCHDOG=1");
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

void Supervisor::notify(std::string state) noexcept {
  if (address_size_ == 0) return;
  if (unsent_.size() == kMostUnsent) unsent_.pop_front();
  unsent_.push_back(std::move(state));
  send_unsent();
}

void Supervisor::send_unsent() noexcept {
  while (!unsent_.empty()) {
    if (send(unsent_.front()) == Sent::Later) {
      retry_.start(kRetry);
      return;
    }
    unsent_.pop_front();
  }
  retry_.stop();
}

Supervisor::Sent Supervisor::send(std::string_view state) noexcept {
  const event::Descriptor socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const auto* to = reinterpret_cast<const sockaddr*>(&address_);
  const bool is_sent = socket.get() >= 0 && ::sendto(socket.get(), state.data(), state.size(),
                                                     MSG_NOSIGNAL, to, address_size_) >= 0;
  if (is_sent) return Sent::Yes;
  const int error = errno;
  if (is_for_now(error)) return Sent::Later;
  log::debug("NOTIFY_SOCKET: {}", std::strerror(error));
  return Sent::Never;
}

}  // namespace sluice::cli
