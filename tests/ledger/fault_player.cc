// How each fault begins and how it ends.
#include "fault_player.h"

#include <algorithm>
#include <array>

namespace sluice::ledger_run {
namespace {

constexpr Nanoseconds kShortest =
    100 * kMillisecond;  // of a fault without a length, and its effects
constexpr Nanoseconds kRepeatAfter = kSecond;
/// A connection that stays silent after its fault has to be detected by sluice. Until then, but at
/// most for this long, it counts as a fault.
constexpr Nanoseconds kSilentAtMost = 2500 * kMillisecond;
constexpr Nanoseconds kPoisonAtMost = 8 * kSecond;
constexpr std::array kResetEvery = {4 * kMillisecond, 15 * kMillisecond, 60 * kMillisecond,
                                    200 * kMillisecond};
constexpr Nanoseconds kFillFor = 150 * kMillisecond;
constexpr unsigned kMostResets = 6;
constexpr unsigned kMostFurtherResets = 3;
/// Slow enough that one message at a time is not enough for the load.
constexpr Nanoseconds kSlowWithOne = 5 * kMillisecond;
constexpr std::size_t kSlowBytesPerSecond = 1'000'000;
constexpr Nanoseconds kSlowRoundTrip = 52 * kMillisecond;
constexpr std::size_t kMostAcksLost = 24;

constexpr std::array<std::uint8_t, 3> kRefusals = {0x87, 0x97, 0x99};
// Server unavailable, server busy, quota exceeded, not authorized, connection rate exceeded.
constexpr std::array<std::uint8_t, 5> kConnackCodes = {0x88, 0x89, 0x97, 0x87, 0x9F};
// What 3.1.1 knows: server unavailable, not authorized.
constexpr std::array<std::uint8_t, 2> kOldConnackCodes = {3, 5};
// Server busy, session taken over, packet too large, quota exceeded.
constexpr std::array<std::uint8_t, 4> kDisconnects = {0x89, 0x8E, 0x95, 0x97};

template <std::size_t N>
std::uint8_t pick(const std::array<std::uint8_t, N>& codes, std::uint64_t draw) {
  return codes[static_cast<std::size_t>(draw % N)];
}

}  // namespace

FaultPlayer::FaultPlayer(FaultyBroker& broker, RunLedger& ledger, std::vector<Planned> schedule,
                         Nanoseconds start)
    : broker_(broker), ledger_(ledger), schedule_(std::move(schedule)), start_(start) {}

void FaultPlayer::tick(Nanoseconds now) {
  for (std::size_t i = 0; i < running_.size();) {
    if (!is_due_to_end(running_[i], now)) {
      ++i;
      continue;
    }
    end(running_[i], now);
    running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(i));
  }
  reset_again(now);
  while (next_ < schedule_.size() && now - start_ >= schedule_[next_].begin) {
    ledger_.on_trouble(now);
    running_.push_back(schedule_[next_]);
    ++made_;
    begin(schedule_[next_++], now);
  }
  const bool is_silent = now < silent_until_ && broker_.silent_sessions() > 0;
  if (running_.empty() && further_resets_ == 0 && !is_silent) ledger_.on_calm(now);
}

/// Resets again while messages are being resent.
void FaultPlayer::reset_again(Nanoseconds now) {
  if (further_resets_ == 0 || now < next_reset_) return;
  --further_resets_;
  next_reset_ = now + reset_every_;
  reset(broker_.all_open());
}

void FaultPlayer::plan_further_resets(const Planned& planned, unsigned most, Nanoseconds now) {
  further_resets_ = static_cast<unsigned>(planned.draw / 64 % (most + 1));
  reset_every_ = kResetEvery[static_cast<std::size_t>(planned.draw / 1024 % kResetEvery.size())];
  next_reset_ = now + reset_every_;
}

bool FaultPlayer::is_due_to_end(const Planned& planned, Nanoseconds now) const {
  const Nanoseconds lasted = now - start_ - planned.begin;
  if (lasted < std::max(planned.length, kShortest)) return false;
  return planned.fault != Fault::Poison || !broker_.waits_for_poison() || lasted > kPoisonAtMost;
}

void FaultPlayer::repeat(Nanoseconds now) {
  next_ = 0;
  start_ = now + kRepeatAfter;
}

void FaultPlayer::end_all(Nanoseconds now) {
  for (const Planned& planned : running_)
    end(planned, now);
  running_.clear();
  further_resets_ = 0;
  next_ = schedule_.size();
}

std::vector<BrokerSession*> FaultPlayer::victims(const Planned& planned) const {
  std::vector<BrokerSession*> sessions = broker_.live();
  if (planned.on_all || sessions.empty()) return sessions;
  return {sessions[static_cast<std::size_t>(planned.draw % sessions.size())]};
}

void FaultPlayer::reset(const std::vector<BrokerSession*>& sessions) {
  for (BrokerSession* session : sessions)
    session->reset();
}

void FaultPlayer::begin(const Planned& planned, Nanoseconds now) {
  Mode& mode = broker_.mode;
  switch (planned.fault) {
    case Fault::ResetAll:
      reset(broker_.all_open());
      plan_further_resets(planned, kMostResets, now);
      return;
    case Fault::ResetOne: {
      Planned one = planned;
      one.on_all = false;
      reset(victims(one));
      return;
    }
    case Fault::ListenerGone:
      broker_.stop_listening();
      reset(broker_.all_open());
      return;
    case Fault::Freeze:
      mode.is_frozen = planned.on_all;
      for (BrokerSession* session : planned.on_all ? broker_.all_open() : victims(planned))
        session->freeze();
      return;
    case Fault::StuckSession: {
      Planned one = planned;
      one.on_all = false;
      mode.take_over_waits = true;
      for (BrokerSession* session : victims(one))
        session->freeze();
      return;
    }
    case Fault::Swallow:
      mode.swallows = planned.on_all;
      for (BrokerSession* session : victims(planned))
        session->impairments.swallows = true;
      return;
    case Fault::HalfOpen:
      mode.is_silent = planned.on_all;
      for (BrokerSession* session : planned.on_all ? broker_.all_open() : victims(planned))
        session->impairments.is_silent = true;
      return;
    case Fault::LostPuback: {
      Planned one = planned;
      one.on_all = false;
      for (BrokerSession* session : victims(one))
        session->impairments.acks_to_lose =
            1 + static_cast<unsigned>(planned.draw / 16 % kMostAcksLost);
      return;
    }
    case Fault::Refuse:
      mode.refusal_code = pick(kRefusals, planned.draw);
      return;
    case Fault::SlowBandwidth:
      mode.bytes_per_second = kSlowBytesPerSecond;
      return;
    case Fault::SlowDelay:
      mode.delay = kSlowRoundTrip;
      return;
    case Fault::ConnackRefused:
      mode.connack_code = pick(kConnackCodes, planned.draw);
      mode.old_connack_code = pick(kOldConnackCodes, planned.draw);
      reset(victims(planned));
      return;
    case Fault::DisconnectReason:
      for (BrokerSession* session : victims(planned))
        broker_.disconnect(*session, pick(kDisconnects, planned.draw));
      return;
    case Fault::ReceiveMaximum1:
      mode.receive_maximum = 1;
      if (planned.on_all) mode.delay = std::max(mode.delay, kSlowWithOne);
      // First let the windows fill, so that many messages have to be resent one by one.
      for (BrokerSession* session : broker_.live())
        session->impairments.swallows = true;
      plan_further_resets(planned, kMostFurtherResets, now);
      ++further_resets_;
      next_reset_ = now + kFillFor;
      return;
    case Fault::Poison:
      begin_poison(planned);
      return;
  }
}

void FaultPlayer::begin_poison(const Planned& planned) {
  static constexpr std::array kWays = {DropWay::Gracefully, DropWay::Reset, DropWay::WithReason};
  const unsigned messages = planned.draw % 4 == 0 ? 2 : 1;
  broker_.choose_poison(messages, kWays[static_cast<std::size_t>(planned.draw / 4 % kWays.size())]);
}

void FaultPlayer::end(const Planned& planned, Nanoseconds now) {
  Mode& mode = broker_.mode;
  switch (planned.fault) {
    case Fault::ResetAll:
    case Fault::ResetOne:
    case Fault::DisconnectReason:
    case Fault::Poison:
      return;
    case Fault::ListenerGone:
      broker_.listen();
      return;
    case Fault::StuckSession:
      mode.take_over_waits = false;
      broker_.thaw_all();
      return;
    case Fault::Freeze:
      mode.is_frozen = false;
      broker_.thaw_all();
      return;
    case Fault::Swallow:
      mode.swallows = false;
      for (BrokerSession* session : broker_.all_open())
        if (session->impairments.swallows) session->reset();
      if (planned.on_all) plan_further_resets(planned, kMostFurtherResets, now);
      return;
    case Fault::HalfOpen:
      mode.is_silent = false;
      silent_until_ = now + kSilentAtMost;
      if (planned.draw % 2 == 0) return;  // they stay silent until sluice gives them up
      for (BrokerSession* session : broker_.all_open())
        if (session->impairments.is_silent) session->reset();
      return;
    case Fault::LostPuback:
      for (BrokerSession* session : broker_.all_open())
        session->impairments.acks_to_lose = 0;
      return;
    case Fault::Refuse:
      mode.refusal_code = 0;
      return;
    case Fault::SlowBandwidth:
      mode.bytes_per_second = 0;
      return;
    case Fault::SlowDelay:
      mode.delay = 0;
      return;
    case Fault::ConnackRefused:
      mode.connack_code = 0;
      return;
    case Fault::ReceiveMaximum1:
      mode.receive_maximum = 0;
      if (mode.delay == kSlowWithOne) mode.delay = 0;
      reset(broker_.all_open());
      return;
  }
}

std::string FaultPlayer::running() const {
  std::string names;
  for (const Planned& planned : running_) {
    if (!names.empty()) names += ", ";
    names += to_string(planned.fault);
  }
  return names;
}

}  // namespace sluice::ledger_run
