#include "mqtt/pool/pool_log.h"

#include <fmt/format.h>

#include <utility>

namespace sluice::mqtt {

using log::Level;

Level PoolLog::level_for_change(TimePoint now, Level wanted) {
  if (change_throttle_.note(now)) return wanted;
  if (!std::exchange(is_flapping_, true)) {
    log::warn(subject(),
              "its connections come and go (perhaps another process with the same [server] "
              "instance); further changes are counted until it is quiet");
  }
  return Level::Debug;
}

void PoolLog::ready(TimePoint now, std::size_t up, std::size_t window) {
  is_down_ = false;
  if (up == 1) {
    const std::uint64_t failed = take_failures();
    log::at(level_for_change(now, Level::Info), subject(), "connected to {}{}", broker_.url,
            failed == 0 ? "" : fmt::format(" after {} attempts that failed", failed));
  }
  if (up < connections_ || connections_ == 1 || std::exchange(all_up_reported_, true)) return;
  (void)take_failures();
  const std::uint64_t lost = std::exchange(losses_, 0);
  log::at(level_for_change(now, Level::Info), subject(),
          "all {} connections are up, {} messages in flight on each at most{}", up, window,
          lost == 0 ? "" : fmt::format("; {} were lost before", lost));
}

std::uint64_t PoolLog::take_failures() {
  latest_failure_.clear();
  (void)failure_throttle_.end();
  return std::exchange(failures_, 0);
}

void PoolLog::lost(TimePoint now, unsigned slot, const Loss& loss, std::size_t up) {
  if (loss.kind == Loss::Kind::Closed) {  // closed by sluice
    log::debug(subject(slot), "ended: {}", loss.text);
    return;
  }
  ++losses_;
  all_up_reported_ = false;
  if (up == 0) {
    is_down_ = true;
    log::at(level_for_change(now, Level::Warn), subject(slot), "lost, the last of {}: {}",
            connections_, loss.text);
  } else {
    // Further losses are counted until all are up again.
    log::at(losses_ == 1 ? level_for_change(now, Level::Warn) : Level::Debug, subject(slot),
            "lost: {}; {} left", loss.text, up);
  }
}

void PoolLog::attempt_failed(TimePoint now, const Loss& loss) {
  if (loss.kind == Loss::Kind::Closed) {  // ended by sluice
    log::debug(subject(), "gave up an attempt: {}", loss.text);
    return;
  }
  ++failures_;
  std::string failure = fmt::format(
      "{} {}: {}", loss.kind == Loss::Kind::Refused ? "refused by" : "cannot connect to",
      broker_.url, loss.text);
  // Each failure is logged once for all slots, and not at all in a short outage.
  const bool is_news = failure != latest_failure_ && !is_down_;
  log::at(
      is_news && failure_throttle_.note(now) ? level_for_change(now, Level::Warn) : Level::Debug,
      subject(), "{}; trying again", failure);
  latest_failure_ = std::move(failure);
}

void PoolLog::dead(TimePoint now) {
  is_down_ = false;
  log::at(level_for_change(now, Level::Warn), subject(),
          "no connection for {} ms{}{}; requests beyond its queue are refused now",
          broker_.dead_after.count(), latest_failure_.empty() ? "" : ", ", latest_failure_);
}

void PoolLog::taken_over(TimePoint now, unsigned slot, const std::string& client_id,
                         bool is_reported) {
  log::at(takeover_throttle_.note(now) ? Level::Warn : Level::Debug, subject(slot),
          "another client {}connects with the identifier {}: give each process its own [server] "
          "instance, or client_id",
          is_reported ? "" : "probably ", client_id);
}

void PoolLog::rejected(TimePoint now, unsigned slot, std::int64_t device) {
  log::at(rejection_throttle_.note(now) ? Level::Warn : Level::Debug, subject(slot),
          "the broker hung up on a message for device {} twice; that one is rejected", device);
}

void PoolLog::log_changes(const LogThrottle::Summary& summary, std::size_t up) const {
  if (summary.more == 0) return;
  log::at(up == 0 ? Level::Warn : Level::Info, subject(), "{}; {} of {} are up",
          summary.text("changes of its connections"), up, connections_);
}

void PoolLog::tick(TimePoint now, std::size_t up) {
  if (const auto summary = change_throttle_.look(now)) {
    log_changes(*summary, up);
    is_flapping_ = change_throttle_.is_going_on();
  }
  if (const auto summary = failure_throttle_.look(now); summary && up == 0 && summary->more > 0) {
    log::warn(subject(), "still no connection, {} attempts failed; the latest: {}", failures_,
              latest_failure_);
  }
  if (const auto summary = takeover_throttle_.look(now); summary && summary->more > 0) {
    log::warn(subject(), "{}",
              summary->text("connections lost to a client of the same identifier"));
  }
  if (const auto summary = rejection_throttle_.look(now); summary && summary->more > 0) {
    log::warn(subject(), "{}",
              summary->text("messages rejected on which the broker hung up twice"));
  }
}

void PoolLog::finish(std::size_t up) {
  log_changes(change_throttle_.end(), up);
}

}  // namespace sluice::mqtt
