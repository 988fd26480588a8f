#include "mqtt/pool/connect_scheduler.h"

#include <utility>

#include "base/log.h"
#include "mqtt/reason_codes.h"

namespace sluice::mqtt {
namespace {

/// Attempts at once while the broker accepts connections; one while it does not.
constexpr std::size_t kParallelAttempts = 4;
constexpr Duration kAddressLifetime = std::chrono::seconds(30);

}  // namespace

ConnectScheduler::ConnectScheduler(event::Loop& loop, const config::Broker& broker,
                                   Delegate<bool(Link&)> may_start, Attempt attempt)
    : loop_(loop),
      broker_(broker),
      may_start_(may_start),
      attempt_(attempt),
      pause_timer_(loop, bind<&ConnectScheduler::start_next>(this)),
      start_(loop, bind<&ConnectScheduler::start_next>(this)),
      protocol_(broker) {
  reset_addresses();
}

void ConnectScheduler::reset_addresses() {
  // A new resolver: an answer still to come would be for the former name.
  resolver_ = std::make_unique<event::Resolver>(loop_, bind<&ConnectScheduler::on_resolved>(this));
  addresses_.clear();
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
  protocol_.note_success();
  paused_until_ = {};
  start_.schedule();
  return !std::exchange(is_healthy_, true);
}

void ConnectScheduler::on_failure(const Loss& loss) {
  --connecting_;
  start_.schedule();
  if (loss.kind == Loss::Kind::Closed) return;  // sluice ended it: the broker may be well
  is_healthy_ = false;
  const config::Protocol former = protocol_.current();
  protocol_.note_failure(loss);
  if (protocol_.current() == former && is_lasting(loss)) {
    // All links would be refused: one of them retries, once per reconnect_max.
    paused_until_ = loop_.now() + broker_.reconnect_max;
  }
}

void ConnectScheduler::stop() noexcept {
  stopped_ = true;
  while (!waiting_.empty())
    waiting_.pop_front();
  pause_timer_.stop();
  start_.cancel();
}

bool ConnectScheduler::needs_resolving() const noexcept {
  if (event::Resolver::is_numeric(broker_.host)) return false;
  if (addresses_.empty()) return true;
  return !is_healthy_ && loop_.now() - resolved_at_ >= kAddressLifetime;
}

void ConnectScheduler::start_next() noexcept {
  if (stopped_) return;
  const std::size_t limit = is_healthy_ ? kParallelAttempts : 1;
  while (!waiting_.empty() && connecting_ < limit) {
    if (loop_.now() < paused_until_) {
      pause_timer_.start(paused_until_ - loop_.now());
      return;
    }
    if (needs_resolving()) {
      resolver_->resolve(broker_.host);
      return;
    }
    Link* link = next_permitted();
    if (link == nullptr) return;
    waiting_.remove(*link);
    ++connecting_;
    attempt_(*link, addresses_[next_address_++ % addresses_.size()]);
  }
}

Link* ConnectScheduler::next_permitted() noexcept {
  Link* link = &waiting_.front();
  while (link != nullptr && !may_start_(*link))
    link = waiting_.next(*link);
  return link;
}

void ConnectScheduler::on_resolved(const Result<event::Resolver::Addresses>& resolved) noexcept {
  if (stopped_) return;
  resolved_at_ = loop_.now();
  if (resolved) {
    addresses_ = resolved.value();
    start_next();
    return;
  }
  // The addresses of an earlier answer may still be valid.
  if (!addresses_.empty()) {
    start_next();
    return;
  }
  if (waiting_.empty()) return;
  Link& link = waiting_.pop_front();
  ++connecting_;
  attempt_(link, resolved.error());
}

}  // namespace sluice::mqtt
