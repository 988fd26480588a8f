#include "mqtt/pool/connect_scheduler.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/log.h"

namespace sluice::mqtt {
namespace {

/// Attempts at once while the broker accepts connections; one while it does not.
constexpr std::size_t kParallelAttempts = 4;
/// Attempts at once in all, where the broker does not even answer.
constexpr std::size_t kMostAttempts = 8;
/// From the end of a lookup to the next one.
constexpr Duration kLookupInterval = std::chrono::seconds(1);
/// An attempt waits for the answer of a lookup, rather than take a former address.
constexpr Duration kLookupPatience = std::chrono::milliseconds(300);

}  // namespace

ConnectScheduler::ConnectScheduler(event::Loop& loop, const config::Broker& broker,
                                   Delegate<bool(Link&)> may_start, Attempt attempt,
                                   Delegate<void()> hurry)
    : loop_(loop),
      broker_(broker),
      may_start_(may_start),
      attempt_(attempt),
      hurry_(hurry),
      pause_timer_(loop, bind<&ConnectScheduler::start_next>(this)),
      urgent_timer_(loop, bind<&ConnectScheduler::on_urgent>(this)),
      lookup_timer_(loop, bind<&ConnectScheduler::start_next>(this)),
      start_(loop, bind<&ConnectScheduler::start_next>(this)),
      protocol_(broker) {
  reset_addresses();
}

void ConnectScheduler::reset_addresses() {
  // A new resolver: an answer still to come would be for the former name.
  resolver_ = std::make_unique<event::Resolver>(loop_, bind<&ConnectScheduler::on_resolved>(this));
  addresses_.clear();
  next_address_ = 0;
  failures_ = 0;
  wants_lookup_ = false;
  answered_at_.reset();
  if (event::Resolver::is_numeric(broker_.host)) addresses_ = {broker_.host};
}

void ConnectScheduler::reset(bool address_changed) {
  reset_protocol();
  paused_until_ = {};
  pause_timer_.stop();
  if (address_changed) reset_addresses();
  start_.schedule();
}

void ConnectScheduler::enqueue(Link& link) {
  if (stopped_ || waiting_.holds(link)) return;
  waiting_.push_back(link);
  start_.schedule();
}

bool ConnectScheduler::on_success() {
  --connecting_;
  protocol_.note_connack();
  failures_ = 0;
  wants_lookup_ = false;
  paused_until_ = {};
  start_.schedule();
  return !std::exchange(is_healthy_, true);
}

bool ConnectScheduler::on_failure(const Loss& loss) {
  --connecting_;
  start_.schedule();
  if (loss.kind == Loss::Kind::Closed) return false;  // sluice ended it: the broker may be well
  is_healthy_ = false;
  note_failure();
  if (protocol_.note_failure(loss)) return true;
  if (is_lasting(loss) && is_down_) {
    // All links would be refused: one of them retries. While others are up, only this one waits: it
    // may be the broker's limit of connections.
    paused_until_ = latest_start_ + std::min(broker_.reconnect_max, kUrgentRetry);
  }
  return false;
}

void ConnectScheduler::note_up(std::size_t up) noexcept {
  const bool was_down = std::exchange(is_down_, up == 0);
  if (stopped_ || is_down_ == was_down) return;
  if (!is_down_) {
    urgent_timer_.stop();
    return;
  }
  is_healthy_ = false;
  urgent_timer_.start_repeating(kUrgentRetry);
}

std::optional<TimePoint> ConnectScheduler::urgent_at() const noexcept {
  if (!urgent_timer_.is_active() || connecting_ > 0) return std::nullopt;
  return latest_start_ + kUrgentRetry;
}

void ConnectScheduler::stop() noexcept {
  stopped_ = true;
  while (!waiting_.empty())
    waiting_.pop_front();
  pause_timer_.stop();
  urgent_timer_.stop();
  lookup_timer_.stop();
  start_.cancel();
}

void ConnectScheduler::start_next() noexcept {
  if (stopped_) return;
  wants_lookup_ = wants_lookup_ || (addresses_.empty() && !waiting_.empty());
  ask_if_due();
  while (!waiting_.empty() && !addresses_.empty() && may_start_another()) {
    if (const TimePoint earliest = earliest_start(); loop_.now() < earliest) {
      pause_timer_.start(earliest - loop_.now());
      return;
    }
    Link* link = next_permitted();
    if (link == nullptr) return;
    waiting_.remove(*link);
    begin(*link, addresses_[next_address_++ % addresses_.size()]);
  }
}

bool ConnectScheduler::may_start_another() const noexcept {
  if (connecting_ < (is_healthy_ ? kParallelAttempts : 1)) return true;
  // An attempt without an answer does not hold up all others until its time-out.
  return is_down_ && connecting_ < kMostAttempts && loop_.now() - latest_start_ >= kUrgentRetry;
}

TimePoint ConnectScheduler::earliest_start() const noexcept {
  if (!resolver_->is_busy()) return paused_until_;
  return std::max(paused_until_, asked_at_ + kLookupPatience);
}

Link* ConnectScheduler::next_permitted() noexcept {
  for (const bool resends : {true, false}) {
    for (Link* link = &waiting_.front(); link != nullptr; link = waiting_.next(*link)) {
      if (link->resend_queue().is_empty() != resends && may_start_(*link)) return link;
    }
  }
  return nullptr;
}

void ConnectScheduler::begin(Link& link, const Result<std::string>& address) noexcept {
  ++connecting_;
  latest_start_ = loop_.now();
  if (is_down_) urgent_timer_.start_repeating(kUrgentRetry);
  attempt_(link, address);
}

/// No connection is up, and kUrgentRetry has passed since the latest attempt began.
void ConnectScheduler::on_urgent() noexcept {
  if (connecting_ > 0) note_failure();  // no answer is as good as a failure
  if (waiting_.empty()) hurry_();
  start_.schedule();
}

// --- the broker's name
// ----------------------------------------------------------------------------

/// An attempt has failed. After a round through the known addresses the name may have others.
void ConnectScheduler::note_failure() noexcept {
  if (++failures_ >= addresses_.size()) wants_lookup_ = !event::Resolver::is_numeric(broker_.host);
}

void ConnectScheduler::ask_if_due() noexcept {
  if (!wants_lookup_ || resolver_->is_busy()) return;
  const Duration since = answered_at_ ? loop_.now() - *answered_at_ : kLookupInterval;
  if (since < kLookupInterval) {
    lookup_timer_.start(kLookupInterval - since);
    return;
  }
  wants_lookup_ = false;
  asked_at_ = loop_.now();
  resolver_->resolve(broker_.host);
}

void ConnectScheduler::on_resolved(const Result<event::Resolver::Addresses>& resolved) noexcept {
  if (stopped_) return;
  answered_at_ = loop_.now();
  if (resolved) {
    adopt(resolved.value());
  } else if (addresses_.empty() && !waiting_.empty()) {
    begin(waiting_.pop_front(), resolved.error());
  } else {
    log::debug(log::Subject::broker(broker_.name), "{}", resolved.error().what);
  }
  start_next();
}

/// New addresses first, then the others in the order in which they are due: a name server may
/// rotate them with each answer.
void ConnectScheduler::adopt(const event::Resolver::Addresses& resolved) {
  const auto is_in = [](const event::Resolver::Addresses& list, const std::string& address) {
    return std::find(list.begin(), list.end(), address) != list.end();
  };
  event::Resolver::Addresses next;
  std::copy_if(resolved.begin(), resolved.end(), std::back_inserter(next),
               [&](const std::string& address) { return !is_in(addresses_, address); });
  const bool has_moved = !addresses_.empty() && !next.empty();
  for (std::size_t i = 0; i < addresses_.size(); ++i) {
    const std::string& address = addresses_[(next_address_ + i) % addresses_.size()];
    if (is_in(resolved, address)) next.push_back(address);
  }
  addresses_ = std::move(next);
  next_address_ = 0;
  if (!has_moved) return;
  log::debug(log::Subject::broker(broker_.name), "{} is at {} now", broker_.host,
             addresses_.front());
  paused_until_ = {};
  if (is_down_ && waiting_.empty()) hurry_();
}

}  // namespace sluice::mqtt
