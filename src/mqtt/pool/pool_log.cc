#include "mqtt/pool/pool_log.h"

#include <fmt/format.h>

#include <utility>

#include "base/plural.h"

namespace sluice::mqtt {
namespace {

using log::Level;

/// The number of connections is logged once it has been the same for this long.
constexpr Duration kSteadyAfter = std::chrono::seconds(5);

/// "250 ms", "41 s".
std::string in_words(Duration time) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(time);
  const bool is_exact = time == seconds || seconds >= std::chrono::seconds(10);
  return seconds.count() > 0 && is_exact ? fmt::format("{} s", seconds.count())
                                         : fmt::format("{} ms", time.count());
}

/// "6 s".
std::string in_seconds(Duration time) {
  return fmt::format("{} s", std::chrono::duration_cast<std::chrono::seconds>(time).count());
}

}  // namespace

Level PoolLog::level_for_change(TimePoint now, Level wanted) {
  if (change_throttle_.note(now)) return wanted;
  if (!std::exchange(is_flapping_, true)) {
    log::warn(subject(), "connections are flapping; suppressing further messages");
  }
  return Level::Debug;
}

void PoolLog::ready(TimePoint now, std::size_t up, std::size_t window) {
  is_down_ = false;
  if (up == 1) {
    const std::uint64_t failed = take_failures();
    const std::string attempts = failed == 0 ? "" : " after " + plural(failed, "failed attempt");
    const std::optional<TimePoint> since = std::exchange(down_since_, std::nullopt);
    const std::string outage = since ? fmt::format(" (down for {})", in_words(now - *since)) : "";
    log::at(level_for_change(now, Level::Info), subject(), "connected to {}{}{}", broker_.url,
            attempts, outage);
  }
  if (up < connections_ || connections_ == 1 || std::exchange(all_up_reported_, true)) return;
  (void)take_failures();
  const std::uint64_t lost = std::exchange(losses_, 0);
  const Level level = level_for_change(now, Level::Info);
  if (lost == 0) {
    log::at(level, subject(), "all {} connections up (window {})", up, window);
  } else {
    log::at(level, subject(), "all {} connections up again after {} (window {}); {} reconnected",
            up, in_words(now - lossy_since_), window, lost);
  }
}

std::uint64_t PoolLog::take_failures() {
  latest_failure_.clear();
  (void)failure_throttle_.end();
  return std::exchange(failures_, 0);
}

void PoolLog::lost(TimePoint now, unsigned slot, const Loss& loss, std::size_t up) {
  if (loss.kind == Loss::Kind::Closed) {  // closed by sluice
    log::debug(subject(slot), "connection closed: {}", loss.text);
    return;
  }
  if (++losses_ == 1) lossy_since_ = now;
  latest_trouble_ = loss.text;
  all_up_reported_ = false;
  is_down_ = is_down_ || up == 0;
  if (up == 0) down_since_ = now;
  // Of several losses the first and the last are logged; all are counted until all are up again.
  const bool is_change = losses_ == 1 || up == 0;
  log::at(is_change ? level_for_change(now, Level::Warn) : Level::Debug, subject(slot),
          "connection lost ({} of {} up): {}", up, connections_, loss.text);
}

void PoolLog::attempt_failed(TimePoint now, const Loss& loss, bool is_version_search) {
  if (loss.kind == Loss::Kind::Closed) {  // ended by sluice
    log::debug(subject(), "attempt ended: {}", loss.text);
    return;
  }
  ++failures_;
  std::string failure = describe(loss);
  if (is_version_search) {
    log::debug(subject(), "{}; trying again", failure);
    return;
  }
  // Each failure is logged once for all slots, and not at all in a short outage.
  const bool is_news = failure != latest_failure_ && !is_down_;
  log::at(
      is_news && failure_throttle_.note(now) ? level_for_change(now, Level::Warn) : Level::Debug,
      subject(), "{}; trying again", failure);
  latest_failure_ = std::move(failure);
  latest_trouble_ = latest_failure_;
}

std::string PoolLog::describe(const Loss& loss) const {
  if (loss.kind != Loss::Kind::Refused)
    return fmt::format("cannot connect to {}: {}", broker_.url, loss.text);
  const std::string user =
      broker_.username.empty() ? "" : fmt::format(" (user {})", broker_.username);
  return fmt::format("refused by {}{}: {}", broker_.url, user, loss.text);
}

void PoolLog::dead(TimePoint now) {
  is_down_ = false;
  const std::string reason = latest_failure_.empty() ? "" : fmt::format(" ({})", latest_failure_);
  const std::string requests =
      broker_.when_dead == config::WhenDead::Refuse
          ? "requests are refused (when_dead)"
          : fmt::format("requests are queued until their deadline, at most {}",
                        broker_.queue_messages);
  log::at(level_for_change(now, Level::Warn), subject(), "down: no connection for {}{}; {}",
          in_words(broker_.dead_after), reason, requests);
}

void PoolLog::silent(TimePoint now, Duration lasted, std::size_t unacknowledged) {
  silence_level_ = silence_throttle_.note(now) ? Level::Info : Level::Debug;
  log::at(silence_level_ == Level::Info ? Level::Warn : Level::Debug, subject(),
          "not ready: no acknowledgement for {} ({} unacknowledged)", in_seconds(lasted),
          plural(unacknowledged, "message"));
}

void PoolLog::silence_ended(Duration lasted, bool acknowledges) {
  log::at(silence_level_, subject(), "{} (after {} without an acknowledgement)",
          acknowledges ? "acknowledging again" : "nothing left to acknowledge", in_seconds(lasted));
}

void PoolLog::taken_over(TimePoint now, unsigned slot, const std::string& client_id,
                         bool is_reported, bool may_be_username) {
  log::at(takeover_throttle_.note(now) ? Level::Warn : Level::Debug, subject(slot),
          "session takeover: another client {}uses client ID {}; give each process its own "
          "[server] instance or client_id{}",
          is_reported ? "" : "probably ", client_id,
          may_be_username ? ", unless the broker uses the username as client ID" : "");
}

void PoolLog::username_is_client_id(TimePoint now) {
  log::at(takeover_throttle_.note(now) ? Level::Warn : Level::Debug, subject(),
          "each new connection disconnects the previous one: the broker seems to use the username "
          "({}) as the "
          "client identifier (Mosquitto: use_username_as_clientid); turn that off there, or set "
          "connections = 1",
          broker_.username);
}

void PoolLog::qos2_downgraded() {
  log::warn(subject(),
            "acknowledges QoS 2 as QoS 1, as RabbitMQ does; rejecting QoS 2 until the next reload "
            "(max_qos = 1 rejects it from the start)");
}

void PoolLog::rejected(TimePoint now, unsigned slot, std::int64_t device) {
  log::at(rejection_throttle_.note(now) ? Level::Warn : Level::Debug, subject(slot),
          "broker disconnected twice on the same message (device {}); message rejected", device);
}

void PoolLog::log_changes(const LogThrottle::Summary& summary, std::size_t up) const {
  if (summary.more == 0) return;
  log::at(up == 0 ? Level::Warn : Level::Info, subject(), "{}; {} of {} up",
          summary.text("connection change", "connection changes"), up, connections_);
}

void PoolLog::report_partly_up(TimePoint now, std::size_t up) {
  if (up == 0 || up >= connections_) reported_up_ = 0;
  if (std::exchange(steady_up_, up) != up) steady_since_ = now;
  const bool is_partly_up = up > 0 && up < connections_;
  if (!is_partly_up || up == reported_up_ || now - steady_since_ < kSteadyAfter) return;
  reported_up_ = up;
  const std::string reason = latest_trouble_.empty() ? "" : fmt::format(" ({})", latest_trouble_);
  log::at(level_for_change(now, Level::Warn), subject(), "{} of {} connections up{}", up,
          connections_, reason);
}

void PoolLog::tick(TimePoint now, std::size_t up) {
  report_partly_up(now, up);
  if (const auto summary = change_throttle_.look(now)) {
    log_changes(*summary, up);
    is_flapping_ = change_throttle_.is_going_on();
  }
  if (const auto summary = failure_throttle_.look(now); summary && up == 0 && summary->more > 0) {
    log::warn(subject(), "still down after {}; the latest: {}", plural(failures_, "failed attempt"),
              latest_failure_);
  }
  if (const auto summary = silence_throttle_.look(now); summary && summary->more > 0)
    log::warn(subject(), "{}",
              summary->text("pause of acknowledgements", "pauses of acknowledgements"));
  if (const auto summary = takeover_throttle_.look(now); summary && summary->more > 0)
    log::warn(subject(), "{}", summary->text("session takeover", "session takeovers"));
  if (const auto summary = rejection_throttle_.look(now); summary && summary->more > 0)
    log::warn(subject(), "{}",
              summary->text("message rejected after two disconnects",
                            "messages rejected after two disconnects"));
}

void PoolLog::finish(std::size_t up) {
  log_changes(change_throttle_.end(), up);
}

}  // namespace sluice::mqtt
