// The checks. Each compares a promise with what the broker and the clients have seen. Where both
// sides read their clocks, the later reading counts, so that no finding is in doubt.
#include "run_ledger.h"

#include <algorithm>
#include <cstdio>

namespace sluice::ledger_run {
namespace {

constexpr std::uint16_t kManyArrivals = 60000;

/// The table of the contract: the values of `published` allowed with each error.
bool fits(const Answer& answer) {
  switch (answer.outcome) {
    case AnswerKind::Ok:
      return answer.published == Published::None;
    case AnswerKind::Rejected:
      return answer.published == Published::No || answer.published == Published::Unknown;
    case AnswerKind::Unavailable:
      return answer.published == Published::No;
    case AnswerKind::Timeout:
      return answer.published == Published::Unknown;
    default:
      return false;
  }
}

}  // namespace

std::uint32_t RunLedger::add_device(int qos, Nanoseconds timeout) {
  Device device;
  device.qos = qos;
  device.timeout = timeout;
  devices_.push_back(std::move(device));
  return static_cast<std::uint32_t>(devices_.size());
}

RunLedger::Device* RunLedger::device_of(std::uint32_t device) {
  return device == 0 || device > devices_.size() ? nullptr : &devices_[device - 1];
}

bool RunLedger::knows(std::uint32_t device, std::uint64_t number) const {
  return device > 0 && device <= devices_.size() && number < devices_[device - 1].entries.size();
}

Nanoseconds RunLedger::deadline_of(std::uint32_t device, std::uint64_t number) const {
  if (!knows(device, number)) return INT64_MAX;
  const Device& of = devices_[device - 1];
  return of.entries[number].sent_at + of.timeout;
}

bool RunLedger::is_answered(std::uint32_t device, std::uint64_t number) const {
  return knows(device, number) &&
         devices_[device - 1].entries[number].answer.outcome != AnswerKind::None;
}

std::uint32_t RunLedger::on_sent(std::uint32_t device, Nanoseconds now) {
  Device& of = *device_of(device);
  Entry entry;
  entry.sent_at = now;
  of.entries.push_back(entry);
  ++figures_.messages;
  ++unanswered_;
  return static_cast<std::uint32_t>(of.entries.size() - 1);
}

// --- replies

void RunLedger::on_answered(std::uint32_t device, std::uint64_t number, Answer answer,
                            Nanoseconds now, Nanoseconds own_part) {
  if (!knows(device, number)) {
    violations_.add(Breach::TwoReplies, [] { return std::string("a reply to no request"); });
    return;
  }
  Device& of = devices_[device - 1];
  Entry& entry = of.entries[number];
  if (entry.answer.outcome != AnswerKind::None) {
    breach(Breach::TwoReplies, device, number, "answered once more");
    return;
  }
  entry.answer = answer;
  entry.answered_at = now;
  --unanswered_;
  check_answer(device, number, entry);
  check_times(device, number, own_part);
  if (answer.outcome == AnswerKind::Ok) {
    of.newest_ok = std::max(of.newest_ok, static_cast<std::int64_t>(number));
  }
}

void RunLedger::check_answer(std::uint32_t device, std::uint64_t number, const Entry& entry) {
  if (!fits(entry.answer)) breach(Breach::BadReply, device, number, "not in the table");
  switch (entry.answer.outcome) {
    case AnswerKind::Ok:
      ++figures_.ok;
      if (!entry.is_recorded) breach(Breach::OkNotRecorded, device, number, "never recorded");
      if (devices_[device - 1].qos == 2 && !entry.is_released) {
        breach(Breach::OkTooEarly, device, number, "never released");
      }
      return;
    case AnswerKind::Rejected:
      if (entry.is_refused) {
        ++figures_.refused_as_ordered;
      } else if (entry.is_poison) {
        ++figures_.poison_rejected;
        devices_[device - 1].poison_rejected_at = entry.answered_at;
      } else if (is_behind_poison(devices_[device - 1], entry)) {
        ++figures_.behind_poison;
      } else {
        breach(Breach::RejectedNotRefused, device, number, "the broker never refused it");
      }
      if (entry.answer.published == Published::No && entry.is_recorded) {
        breach(Breach::NoButSent, device, number, "recorded before");
      }
      return;
    case AnswerKind::Unavailable:
    case AnswerKind::Overloaded:
      ++figures_.unavailable;
      if (entry.arrivals > 0) breach(Breach::NoButSent, device, number, "it had arrived before");
      return;
    case AnswerKind::Timeout:
      ++figures_.timeouts;
      return;
    case AnswerKind::Other:
    case AnswerKind::None:
      return;
  }
}

bool RunLedger::is_behind_poison(const Device& of, const Entry& entry) {
  return entry.arrivals == 0 && entry.answer.published == Published::No &&
         entry.answered_at - of.poison_rejected_at < kPoisonMemory;
}

void RunLedger::check_times(std::uint32_t device, std::uint64_t number, Nanoseconds own_part) {
  const Device& of = devices_[device - 1];
  const Entry& entry = of.entries[number];
  const Nanoseconds took = entry.answered_at - entry.sent_at;
  const Nanoseconds late = took - of.timeout - own_part;
  figures_.worst_settled = std::max(figures_.worst_settled, took);
  figures_.worst_late = std::max(figures_.worst_late, late);
  if (late > limits_.settle_within) breach(Breach::LateReply, device, number, "too late");
  const bool is_refusal = entry.answer.outcome == AnswerKind::Unavailable;
  // The queue is larger than the number of outstanding requests: never full, so no early refusal.
  if ((entry.answer.outcome == AnswerKind::Timeout || is_refusal) &&
      took < of.timeout - limits_.clock_slack) {
    breach(Breach::EarlyReply, device, number, "before its deadline");
  }
  if (is_refusal && had_time(entry.sent_at, entry.answered_at)) ++figures_.needless;
}

// --- what the broker gets

void RunLedger::on_arrived(std::uint32_t device, std::uint64_t number, const PublishSource& source,
                           Fate fate, Nanoseconds now) {
  if (!knows(device, number)) {
    violations_.add(Breach::Protocol, [] { return std::string("a message that no client sent"); });
    return;
  }
  Entry& entry = devices_[device - 1].entries[number];
  if (entry.arrivals > 0) ++figures_.duplicates;
  if (entry.last_source == source.serial) {
    breach(Breach::TwiceOnConnection, device, number, "on one connection");
  }
  entry.last_source = source.serial;
  entry.arrived_at = now;
  if (entry.arrivals < kManyArrivals) ++entry.arrivals;

  entry.is_recorded = entry.is_recorded || fate == Fate::Recorded;
  // What a silent broker reads reaches no subscriber, so its order is not checked.
  if (fate != Fate::Ignored) check_order(device, number, source);
  const Answer& answer = entry.answer;
  if (answer.outcome != AnswerKind::None && source.connected_at > entry.answered_at) {
    breach(Breach::SentAfterReply, device, number,
           "on a connection made " +
               std::to_string((source.connected_at - entry.answered_at) / kMillisecond) +
               " ms after its reply");
  }
  const bool never_handed_over =
      answer.outcome == AnswerKind::Unavailable || answer.outcome == AnswerKind::Overloaded;
  if (never_handed_over) breach(Breach::NoButSent, device, number, "it arrived after its reply");
  switch (fate) {
    case Fate::Recorded:
      if (answer.outcome == AnswerKind::Rejected && answer.published == Published::No) {
        breach(Breach::NoButSent, device, number, "recorded after its reply");
      }
      return;
    case Fate::Refused:
      entry.is_refused = true;
      return;
    case Fate::Dropped:
      entry.is_poison = true;
      ++figures_.poison_drops;
      return;
    case Fate::Ignored:
      return;
  }
}

void RunLedger::check_order(std::uint32_t device, std::uint64_t number,
                            const PublishSource& source) {
  Device& of = devices_[device - 1];
  Entry& entry = of.entries[number];
  const auto at = static_cast<std::int64_t>(number);
  if (!entry.is_processed && at < of.newest_arrived) {
    breach(Breach::FirstOutOfOrder, device, number,
           "first seen behind " + std::to_string(of.newest_arrived));
  }
  if (of.last_source == source.serial && at < of.last_arrived) {
    breach(Breach::OutOfOrder, device, number, "behind " + std::to_string(of.last_arrived));
  }
  if (at < of.newest_ok && !entry.acknowledgement_lost) {
    breach(Breach::OldAfterNew, device, number,
           "arrived when " + std::to_string(of.newest_ok) + " had been answered with code 1");
  }
  entry.is_processed = true;
  of.last_source = source.serial;
  of.newest_arrived = std::max(of.newest_arrived, at);
  of.last_arrived = at;
}

void RunLedger::on_released(std::uint32_t device, std::uint64_t number) {
  if (knows(device, number)) devices_[device - 1].entries[number].is_released = true;
}

void RunLedger::on_acknowledgement_lost(std::uint32_t device, std::uint64_t number) {
  if (knows(device, number)) devices_[device - 1].entries[number].acknowledgement_lost = true;
}

// --- was there time?

void RunLedger::on_trouble(Nanoseconds now) {
  if (calm_since_ != 0) calm_.emplace_back(calm_since_, now);
  calm_since_ = 0;
}

void RunLedger::on_calm(Nanoseconds now) {
  if (calm_since_ == 0) calm_since_ = now;
}

bool RunLedger::had_time(Nanoseconds from, Nanoseconds to) const {
  const auto is_enough = [&](Nanoseconds begin, Nanoseconds end) {
    return std::min(end, to) - std::max(begin, from) >= limits_.honest_stretch;
  };
  if (calm_since_ != 0 && is_enough(calm_since_, to)) return true;
  for (auto stretch = calm_.rbegin(); stretch != calm_.rend() && stretch->second > from; ++stretch)
    if (is_enough(stretch->first, stretch->second)) return true;
  return false;
}

// --- the end

void RunLedger::finish(Nanoseconds) {
  for (std::uint32_t number = 1; number <= devices_.size(); ++number) {
    const Device& device = devices_[number - 1];
    for (std::size_t i = 0; i < device.entries.size(); ++i) {
      if (device.entries[i].answer.outcome == AnswerKind::None) {
        breach(Breach::NoReply, number, i, "never answered");
      }
    }
    check_last(number, device);
  }
  const double share = figures_.messages == 0 ? 0
                                              : static_cast<double>(figures_.needless) /
                                                    static_cast<double>(figures_.messages);
  if (share < limits_.needless_share) return;
  violations_.add(Breach::NeedlessRefusals, [&] {
    return std::to_string(figures_.needless) + " of " + std::to_string(figures_.messages) +
           " messages were refused although " +
           std::to_string(limits_.honest_stretch / kMillisecond) +
           " ms without a fault lay between their sending and their deadline";
  });
}

/// If a device's last arrival is a repeat, the newer messages must have timed out or been refused:
/// they are not sent again.
void RunLedger::check_last(std::uint32_t number, const Device& device) {
  if (device.last_arrived < 0 || device.last_arrived == device.newest_arrived) return;
  const Entry& last = device.entries[static_cast<std::size_t>(device.last_arrived)];
  if (device.last_arrived < device.newest_ok && !last.acknowledgement_lost) {
    breach(Breach::LastNotNewest, number, static_cast<std::uint64_t>(device.last_arrived),
           "the device's last arrival, though " + std::to_string(device.newest_ok) +
               " was answered with code 1");
    return;
  }
  ++figures_.stale_ends;
}

// --- words

void RunLedger::breach(Breach kind, std::uint32_t device, std::uint64_t number,
                       std::string_view what) {
  violations_.add(kind, [&] { return tell(device, number, what); });
}

std::string RunLedger::tell(std::uint32_t device, std::uint64_t number,
                            std::string_view what) const {
  const Device& of = devices_[device - 1];
  const Entry& entry = of.entries[number];
  char text[400];
  int size =
      std::snprintf(text, sizeof text, "device %u (QoS %d) message %ju: sent at %.3f s", device,
                    of.qos, std::uintmax_t{number}, as_seconds(entry.sent_at - start_));
  std::string described(text, static_cast<std::size_t>(size));
  if (entry.answer.outcome != AnswerKind::None) {
    size = std::snprintf(text, sizeof text, ", answered after %.1f of %.0f ms: %s, published: %s",
                         as_milliseconds(entry.answered_at - entry.sent_at),
                         as_milliseconds(of.timeout), to_string(entry.answer.outcome),
                         to_string(entry.answer.published));
    described.append(text, static_cast<std::size_t>(size));
  }
  if (entry.arrivals > 0) {
    size =
        std::snprintf(text, sizeof text, ", arrived %u times, last at %.3f s on connection %u%s%s",
                      unsigned{entry.arrivals}, as_seconds(entry.arrived_at - start_),
                      entry.last_source, entry.is_recorded ? "" : ", not recorded",
                      entry.acknowledgement_lost ? ", acknowledgement lost" : "");
    described.append(text, static_cast<std::size_t>(size));
  }
  described += "; ";
  described += what;
  return described;
}

const char* to_string(AnswerKind outcome) {
  switch (outcome) {
    case AnswerKind::None:
      return "none";
    case AnswerKind::Ok:
      return "code 1";
    case AnswerKind::Rejected:
      return "rejected";
    case AnswerKind::Unavailable:
      return "broker_unavailable";
    case AnswerKind::Overloaded:
      return "overloaded";
    case AnswerKind::Timeout:
      return "timeout";
    case AnswerKind::Other:
      return "another error";
  }
  return "";
}

const char* to_string(Published published) {
  switch (published) {
    case Published::None:
      return "absent";
    case Published::No:
      return "no";
    case Published::Unknown:
      return "unknown";
    case Published::Other:
      return "some";
  }
  return "";
}

}  // namespace sluice::ledger_run
