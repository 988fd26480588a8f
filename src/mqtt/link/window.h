// How many messages of one connection may be unacknowledged: a fixed number, or one that finds
// itself by the time acknowledgements take.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace sluice::mqtt {

using Nanoseconds = std::chrono::nanoseconds;

/// How fast one broker acknowledges when nothing waits there: the shortest time of late, over all
/// its connections. Time is cut into epochs, so that a path that has become longer is believed
/// after two of them. `now` is any steady clock.
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

/// The size that the automatic windows of one broker share. A large window costs memory and, at a
/// busy broker, only makes messages wait there instead of here; a small one starves a distant
/// broker. So it grows while acknowledgements come about as fast as they can, and shrinks when they
/// are late by more than a target: the base round trip, or 6 ms if that is more.
///
/// Two things keep it from shrinking for nothing. A single late acknowledgement says little, as a
/// process that waits for a processor is late, too: only a whole round of which none came in time
/// counts. And the size is one for all: connections that each go by their own luck drift apart, and
/// as devices are bound to connections, and replies to their order, the smallest window would hold
/// up everybody.
///
/// Up to 128 a window costs nothing. Beyond, it has to pay: where the broker is not what holds
/// messages up, sluice itself is busy with them, and a larger window makes it slower. So another
/// size is on trial first, and stays if so many more messages are acknowledged in a second that it
/// is worth it. Not thread-safe.
class SharedSize {
 public:
  static constexpr std::size_t kLeast = 8;
  static constexpr std::size_t kMost = 1024;

  /// A message sent at `sent` has come back by now. `in_use`: its window was about full.
  void add(Nanoseconds sent, Nanoseconds round_trip, bool in_use, Nanoseconds now) noexcept;
  /// The same for one whose window was closed down: it only tells the base.
  void add_while_drained(Nanoseconds round_trip, Nanoseconds now) noexcept;
  /// A message was acknowledged, timed or not.
  void count() noexcept { ++acknowledged_; }

  std::size_t value() const noexcept { return size_; }
  /// The broker is next door. False before the first sample.
  bool is_near() const noexcept;
  Nanoseconds base() const noexcept { return base_.value(); }

 private:
  void begin_round(std::size_t size, Nanoseconds now) noexcept;
  void shrink_if_late(Nanoseconds now) noexcept;
  void measure_anew(Nanoseconds now) noexcept;
  /// True if the size has changed.
  bool end_trial(double rate, Nanoseconds now) noexcept;
  bool begin_trial(double rate, Nanoseconds now) noexcept;
  /// Ends a trial, and perhaps begins one, where enough was measured. True if the size has changed.
  bool try_sizes(Nanoseconds now) noexcept;

  BaseRoundTrip base_;
  std::size_t size_ = 64;
  // How many messages were acknowledged since, with this size.
  std::uint64_t acknowledged_ = 0;
  Nanoseconds measured_from_{};
  bool wants_larger_ = false;  // meanwhile the window was in use, and the broker prompt
  // The trial, if its rate is not 0: what there was before.
  double former_rate_ = 0;
  std::size_t former_size_ = 0;
  // Not before these times a larger and a smaller size are tried.
  Nanoseconds try_larger_at_{};
  Nanoseconds try_smaller_at_{};
  // A round is what is sent from a round trip after the size was last judged.
  Nanoseconds round_began_{};
  Nanoseconds shortest_ = Nanoseconds::max();
  unsigned samples_ = 0;
};

/// One connection's window. One message at a time is timed. At the beginning of an epoch the
/// windows in use close down together for about a round trip, so that the base is measured without
/// the queue they may have made at the broker. Not thread-safe.
class Window {
 public:
  static constexpr std::size_t kLeast = SharedSize::kLeast;
  static constexpr std::size_t kMost = SharedSize::kMost;

  /// `fixed`: nothing for an automatic one. `shared` outlives the window.
  Window(std::optional<unsigned> fixed, SharedSize& shared) noexcept;

  /// Another setting, also for the connection there is.
  void set(std::optional<unsigned> fixed) noexcept;
  /// A new connection, of which the broker takes so many messages at most (its Receive Maximum:
  /// MQTT 5, section 3.2.2.3.3).
  void open(std::size_t broker_takes) noexcept;
  /// How many may be unacknowledged now; at least 1.
  std::size_t size() const noexcept { return draining_ ? std::min(kLeast, most_) : usual(); }
  /// The same, apart from the moments in which the base round trip is measured.
  std::size_t usual() const noexcept {
    return is_automatic_ ? std::min(shared_.value(), most_) : most_;
  }

  /// The broker is next door, as far as an automatic window has measured that.
  bool is_near() const noexcept { return is_automatic_ && shared_.is_near(); }

  /// No message is being timed, and one should be.
  bool wants_probe() const noexcept { return is_automatic_ && probe_ == 0; }
  /// This message was sent just now, when so many, itself included, were in flight.
  void start_probe(std::uint64_t sequence, std::size_t in_flight, Nanoseconds now) noexcept;
  bool is_probe(std::uint64_t sequence) const noexcept { return probe_ == sequence; }
  /// A message was acknowledged, whether it was being timed or not.
  void count() noexcept { shared_.count(); }
  /// The message being timed was acknowledged; `round_trips`: 1 for a PUBACK, 2 for a PUBCOMP.
  void end_probe(int round_trips, Nanoseconds now) noexcept;
  /// About twice a second: lost acknowledgements must not keep the window closed down.
  void tick(Nanoseconds now) noexcept;

 private:
  bool has_drained_long(Nanoseconds now) const noexcept;

  SharedSize& shared_;
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
