// The record of one run: what was sent for each device, what was answered, what the broker
// received; and the checks of sluice's promises. It knows neither sockets nor clocks: callers pass
// the times in.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "clock.h"
#include "violations.h"

namespace sluice::ledger_run {

/// The result in a reply. `Other` is an error that this load cannot cause.
enum class AnswerKind : std::uint8_t {
  None,
  Ok,
  Rejected,
  Unavailable,
  Overloaded,
  Timeout,
  Other
};
enum class Published : std::uint8_t { None, No, Unknown, Other };

struct Answer {
  AnswerKind outcome = AnswerKind::None;
  Published published = Published::None;
};

/// What the simulated broker did with a PUBLISH.
enum class Fate : std::uint8_t {
  Recorded,  ///< accepted; its acknowledgement is sent or swallowed
  Refused,   ///< answered with a failure code
  Dropped,   ///< the connection was dropped because of it
  Ignored,   ///< read by a silent broker
};

/// The connection that a PUBLISH came in on.
struct PublishSource {
  std::uint32_t serial = 0;      ///< 1, 2, 3, ... in the order of their CONNECTs
  Nanoseconds connected_at = 0;  ///< when the CONNECT was read; no message was sent before
};

struct Limits {
  Nanoseconds clock_slack = 2 * kMillisecond;      ///< a reply may seem this much too early
  Nanoseconds settle_within = 250 * kMillisecond;  ///< and come this late after its deadline
  /// A time without any fault that is long enough to reconnect and to send.
  Nanoseconds honest_stretch = 1500 * kMillisecond;
  double needless_share =
      0.001;  ///< upper bound of refusals in spite of such a time, of all messages
};

struct Figures {
  std::uint64_t messages = 0;
  std::uint64_t ok = 0;
  std::uint64_t refused_as_ordered = 0;  ///< `rejected`, because the simulated broker refused them
  std::uint64_t poison_rejected = 0;
  std::uint64_t behind_poison =
      0;  ///< rejected unsent, as the device's poison was found just before
  std::uint64_t poison_drops = 0;
  std::uint64_t unavailable = 0;
  std::uint64_t needless = 0;  ///< of those, with time to reconnect and send
  std::uint64_t timeouts = 0;
  std::uint64_t duplicates = 0;  ///< arrivals beyond a message's first
  std::uint64_t stale_ends = 0;  ///< devices left with an old message: the newer ones timed out
  Nanoseconds worst_late = INT64_MIN;  ///< answered minus deadline, without the excused delay
  Nanoseconds worst_settled = 0;       ///< sent to answered
};

class RunLedger {
 public:
  explicit RunLedger(const Limits& limits, Nanoseconds start) : limits_(limits), start_(start) {}

  /// Device numbers count from 1, in the order of these calls; returned.
  std::uint32_t add_device(int qos, Nanoseconds timeout);

  /// Enters a request before it is written; returns its number, 0, 1, 2, ... per device.
  std::uint32_t on_sent(std::uint32_t device, Nanoseconds now);
  /// `own_part`: the excused part of the delay after the deadline.
  void on_answered(std::uint32_t device, std::uint64_t number, Answer answer, Nanoseconds now,
                   Nanoseconds own_part);
  /// Before the acknowledgement is written.
  void on_arrived(std::uint32_t device, std::uint64_t number, const PublishSource& source,
                  Fate fate, Nanoseconds now);
  /// QoS 2: its PUBREL has come; before the PUBCOMP is written.
  void on_released(std::uint32_t device, std::uint64_t number);
  /// The broker dropped this message's acknowledgement and acknowledges newer ones.
  void on_acknowledgement_lost(std::uint32_t device, std::uint64_t number);

  /// A fault begins; the last fault is over.
  void on_trouble(Nanoseconds now);
  void on_calm(Nanoseconds now);

  /// After the last reply: checks for missing replies and for the last message of each device.
  void finish(Nanoseconds now);

  bool knows(std::uint32_t device, std::uint64_t number) const;
  /// INT64_MAX for what was never sent.
  Nanoseconds deadline_of(std::uint32_t device, std::uint64_t number) const;
  bool is_answered(std::uint32_t device, std::uint64_t number) const;
  std::uint64_t unanswered() const { return unanswered_; }
  const Figures& figures() const { return figures_; }
  Violations& violations() { return violations_; }
  const Violations& violations() const { return violations_; }

 private:
  struct Entry {
    Nanoseconds sent_at = 0;
    Nanoseconds answered_at = 0;
    Nanoseconds arrived_at = 0;
    std::uint32_t last_source = 0;
    std::uint16_t arrivals = 0;
    Answer answer;
    bool is_processed = false;  ///< has arrived at a broker that was not dead
    bool is_recorded = false;
    bool is_released = false;
    bool is_refused = false;
    bool is_poison = false;
    bool acknowledgement_lost = false;
  };
  /// So long sluice rejects other messages of a poison message's device and topic (a device has one
  /// topic here), and a second for replies that were late.
  static constexpr Nanoseconds kPoisonMemory = 61 * kSecond;

  struct Device {
    int qos = 1;
    Nanoseconds timeout = 0;
    std::vector<Entry> entries;
    std::int64_t newest_arrived = -1;
    std::int64_t newest_ok = -1;
    std::int64_t last_arrived = -1;
    std::uint32_t last_source = 0;
    Nanoseconds poison_rejected_at = -kPoisonMemory;
  };

  Device* device_of(std::uint32_t device);
  void check_answer(std::uint32_t device, std::uint64_t number, const Entry& entry);
  static bool is_behind_poison(const Device& of, const Entry& entry);
  void check_times(std::uint32_t device, std::uint64_t number, Nanoseconds own_part);
  void check_order(std::uint32_t device, std::uint64_t number, const PublishSource& source);
  void check_last(std::uint32_t number, const Device& device);
  bool had_time(Nanoseconds from, Nanoseconds to) const;
  void breach(Breach kind, std::uint32_t device, std::uint64_t number, std::string_view what);
  std::string tell(std::uint32_t device, std::uint64_t number, std::string_view what) const;

  const Limits limits_;
  const Nanoseconds start_;
  std::vector<Device> devices_;
  std::uint64_t unanswered_ = 0;
  std::vector<std::pair<Nanoseconds, Nanoseconds>> calm_;  ///< stretches that are over
  Nanoseconds calm_since_ = 0;                             ///< 0: not calm now
  Figures figures_;
  Violations violations_;
};

const char* to_string(AnswerKind outcome);
const char* to_string(Published published);

}  // namespace sluice::ledger_run
