// How many messages of one connection may be unacknowledged: a fixed number, or one that adapts to
// acknowledgement latency.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace sluice::mqtt {

using Nanoseconds = std::chrono::nanoseconds;

/// The shortest recent round trip of all connections to one broker: its latency with nothing queued
/// there. Time is cut into epochs, so that a path that has become longer counts after two of them.
/// `now` is any steady clock.
class BaseRoundTrip {
 public:
  static constexpr Nanoseconds kEpoch = std::chrono::seconds(10);

  void add(Nanoseconds sample, Nanoseconds now) noexcept;
  /// The longest there is before the first sample.
  Nanoseconds value() const noexcept;
  static std::int64_t epoch_of(Nanoseconds now) noexcept { return now / kEpoch; }

 private:
  std::int64_t epoch_ = 0;
  Nanoseconds former_ = Nanoseconds::max();
  Nanoseconds latest_ = Nanoseconds::max();
};

/// The size that the automatic windows of one broker share. A small window starves a distant
/// broker, a large one only makes messages wait at a busy broker instead of here. So it doubles
/// while acknowledgements are prompt, up to a bound from the base round trip, and shrinks when they
/// are late by more than a target: the base round trip, or 6 ms if that is more.
///
/// A single late acknowledgement says little, as a process may wait for a processor: only a whole
/// round in which none was in time counts. And the size is one for all: devices are bound to
/// connections, and the smallest of several windows would hold up the rest. Not thread-safe.
class WindowTuner {
 public:
  static constexpr std::size_t kLeast = 8;
  static constexpr std::size_t kMost = 1024;

  /// A message sent at `sent` is acknowledged now. `in_use`: its window was about full.
  void add(Nanoseconds sent, Nanoseconds round_trip, bool in_use, Nanoseconds now) noexcept;
  /// The same while the window was closed to measure: it counts for the base round trip only.
  void add_while_drained(Nanoseconds round_trip, Nanoseconds now) noexcept;

  std::size_t value() const noexcept { return size_; }
  /// The broker is at most half a millisecond away. False before the first sample.
  bool is_near() const noexcept;
  Nanoseconds base() const noexcept { return base_.value(); }

 private:
  void begin_round(std::size_t size, Nanoseconds now) noexcept;
  void shrink_if_late(Nanoseconds now) noexcept;

  BaseRoundTrip base_;
  std::size_t size_ = 64;
  // A round is what is sent from a round trip after the last decision on.
  Nanoseconds round_began_{};
  Nanoseconds shortest_ = Nanoseconds::max();
  unsigned samples_ = 0;
};

/// One connection's window. One message at a time is timed. At the beginning of an epoch the
/// windows in use close for about a round trip, so that the base is measured without the queue they
/// may have made at the broker. Without that a broker of 2,000 messages a second with ten
/// connections holds each one for 5 s after four minutes, instead of 0.1 s. Not thread-safe.
class InflightWindow {
 public:
  static constexpr std::size_t kLeast = WindowTuner::kLeast;
  static constexpr std::size_t kMost = WindowTuner::kMost;

  /// `fixed`: nothing for an automatic one. `shared` outlives the window.
  InflightWindow(std::optional<unsigned> fixed, WindowTuner& shared) noexcept;

  /// Another setting, also for the connection there is.
  void set(std::optional<unsigned> fixed) noexcept;
  /// A new connection with this Receive Maximum (MQTT 5, section 3.2.2.3.3).
  void open(std::size_t broker_takes) noexcept;
  /// How many may be unacknowledged now; at least 1.
  std::size_t size() const noexcept { return draining_ ? std::min(kLeast, most_) : usual(); }
  /// The same, apart from the moments in which the base round trip is measured.
  std::size_t usual() const noexcept {
    return is_automatic_ ? std::min(shared_.value(), most_) : most_;
  }

  /// As WindowTuner::is_near(); false for a fixed window.
  bool is_near() const noexcept { return is_automatic_ && shared_.is_near(); }

  /// No message is being timed, and one should be.
  bool wants_probe() const noexcept { return is_automatic_ && probe_ == 0; }
  /// This message was sent now; `in_flight` includes it.
  void start_probe(std::uint64_t sequence, std::size_t in_flight, Nanoseconds now) noexcept;
  bool is_probe(std::uint64_t sequence) const noexcept { return probe_ == sequence; }
  /// The message being timed was acknowledged; `round_trips`: 1 for a PUBACK, 2 for a PUBCOMP.
  void end_probe(int round_trips, Nanoseconds now) noexcept;
  /// About twice a second: lost acknowledgements must not keep the window closed down.
  void tick(Nanoseconds now) noexcept;

 private:
  bool has_drained_long(Nanoseconds now) const noexcept;

  WindowTuner& shared_;
  bool is_automatic_;
  std::size_t most_allowed_;          // by the configuration
  std::size_t broker_takes_ = 65535;  // by the broker
  std::size_t most_;                  // by both
  std::uint64_t probe_ = 0;           // the sequence of the message being timed; 0: none
  Nanoseconds probe_sent_{};
  bool probe_was_full_ = false;  // the window was in use when it was sent
  bool probe_was_drained_ = false;
  std::int64_t epoch_ = 0;
  Nanoseconds drain_began_{};
  bool draining_ = false;  // until a message was timed with few others in flight
};

}  // namespace sluice::mqtt
