// The violations found: a count per kind, and the first few cases of each in words.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace sluice::ledger_run {

enum class Breach : std::uint8_t {
  NoReply,     ///< a request without a reply
  TwoReplies,  ///< a request with more than one, or a reply to nothing
  BadReply,    ///< an error this load cannot cause, or a `published` that the table does not allow
  OkNotRecorded,       ///< code 1, but the broker never recorded it
  OkTooEarly,          ///< code 1 for QoS 2 without its PUBREL
  NoButSent,           ///< `published: no`, and the broker got it
  RejectedNotRefused,  ///< `rejected`, but the broker never refused it
  FirstOutOfOrder,     ///< a message's first arrival after a newer message of its device
  OutOfOrder,          ///< after a newer one of its device on the same connection
  OldAfterNew,         ///< a repeat after a newer one that was acknowledged
  LastNotNewest,       ///< a device's last arrival is old, but a newer one was acknowledged
  EarlyReply,          ///< `timeout` or `broker_unavailable` before the deadline
  LateReply,           ///< settled too long after the deadline
  SentAfterReply,      ///< sent on a connection made after the reply
  TwiceOnConnection,   ///< sent twice on one connection
  NeedlessRefusals,    ///< too many refusals in spite of time to send
  TwoConnections,      ///< two live connections of one client identifier
  ReceiveMaximum,      ///< more unacknowledged messages than the broker allows
  Protocol,            ///< a packet that MQTT does not allow there
  ConnectionLost,      ///< sluice ended a client's connection
  BadEnd,              ///< exit status, or a sanitizer's report
};
constexpr std::size_t kBreaches = static_cast<std::size_t>(Breach::BadEnd) + 1;

const char* to_string(Breach kind);

class Violations {
 public:
  static constexpr std::size_t kMostDescribed = 10;

  /// Counts one; calls `describe()` for the first kMostDescribed of a kind.
  template <typename Describe>
  void add(Breach kind, Describe&& describe) {
    auto& [count, lines] = kinds_[static_cast<std::size_t>(kind)];
    if (++count <= kMostDescribed) lines.push_back(describe());
  }

  std::uint64_t count(Breach kind) const { return kinds_[static_cast<std::size_t>(kind)].count; }
  const std::vector<std::string>& lines(Breach kind) const {
    return kinds_[static_cast<std::size_t>(kind)].lines;
  }
  std::uint64_t total() const;

 private:
  struct Kind {
    std::uint64_t count = 0;
    std::vector<std::string> lines;
  };
  std::array<Kind, kBreaches> kinds_;
};

}  // namespace sluice::ledger_run
