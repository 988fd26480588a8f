// The list of faults, and the schedule that a seed gives.
#include "faults.h"

#include <algorithm>

#include "random.h"

namespace sluice::ledger_run {
namespace {

struct Range {
  std::int64_t least_ms;
  std::int64_t most_ms;
};

/// How long a fault lasts. 0: an instant.
Range length_of(Fault fault) {
  switch (fault) {
    case Fault::ResetAll:
    case Fault::ResetOne:
    case Fault::DisconnectReason:
      return {0, 0};
    case Fault::ListenerGone:
      return {100, 2500};
    case Fault::Freeze:
      return {300, 3500};  // shorter and longer than the acknowledgement time-out
    case Fault::Swallow:
      return {50, 600};
    case Fault::HalfOpen:
      return {500, 3000};
    case Fault::LostPuback:
      return {200, 1000};
    case Fault::Refuse:
      return {100, 600};
    case Fault::SlowBandwidth:
    case Fault::SlowDelay:
      return {500, 2000};
    case Fault::ConnackRefused:
      return {200, 1500};
    case Fault::ReceiveMaximum1:
      return {300, 1500};
    case Fault::Poison:
      return {300, 1000};  // and until the poisonous ones are answered
    case Fault::StuckSession:
      return {2500, 3500};  // so that sluice has replaced the connection by then
  }
  return {0, 0};
}

constexpr Range kFirst{500, 1000};
constexpr Range kGap{250, 1200};
constexpr Range kLongGap{2200, 3200};
constexpr std::size_t kLongGapOneIn = 4;
constexpr std::size_t kOverlapOneIn = 4;

Nanoseconds draw_time(Random& random, Range range, bool quick) {
  const std::int64_t ms = random.between(range.least_ms, range.most_ms);
  return (quick ? ms * 6 / 10 : ms) * kMillisecond;
}

}  // namespace

const std::vector<FaultInfo>& all_faults() {
  static const std::vector<FaultInfo> list = {
      {Fault::ResetAll, "reset-all", "every connection is reset, mostly several times in a row",
       false},
      {Fault::ResetOne, "reset-one", "one connection is reset", false},
      {Fault::ListenerGone, "listener-gone",
       "all are reset, and the listener is closed for a while", false},
      {Fault::Freeze, "freeze", "nothing is read, from all or from one, for a while", false},
      {Fault::Swallow, "swallow", "acknowledgements are swallowed, then the connections are reset",
       false},
      {Fault::HalfOpen, "half-open", "connections are accepted, and nothing is answered", false},
      {Fault::LostPuback, "lost-puback",
       "some acknowledgements are lost on a connection that otherwise works", false},
      {Fault::Refuse, "refuse", "every third message is refused (0x87, 0x97 or 0x99)", true},
      {Fault::SlowBandwidth, "slow-bandwidth", "1 MB/s is read, and no more", false},
      {Fault::SlowDelay, "slow-delay", "every answer takes 52 ms", false},
      {Fault::ConnackRefused, "connack-refused", "connections are reset, new ones refused", false},
      {Fault::DisconnectReason, "disconnect-reason",
       "DISCONNECT: server busy, session taken over, packet too large or quota", false},
      {Fault::ReceiveMaximum1, "receive-maximum-1", "new connections have a Receive Maximum of 1",
       true},
      {Fault::Poison, "poison", "the broker disconnects whenever it reads one certain message",
       false},
      {Fault::StuckSession, "stuck-session",
       "one connection is not read, and its identifier gets no other; then what lies there is read",
       false},
  };
  return list;
}

const char* to_string(Fault fault) {
  return all_faults()[static_cast<std::size_t>(fault)].name;
}

std::optional<Fault> fault_by_name(std::string_view name) {
  for (const FaultInfo& info : all_faults())
    if (name == info.name) return info.fault;
  return std::nullopt;
}

std::vector<Planned> draw_schedule(std::uint64_t seed, const std::vector<Fault>& faults,
                                   bool quick) {
  Random random(seed);
  std::vector<Fault> order = faults;
  random.shuffle(order);
  std::vector<Planned> schedule;
  Nanoseconds at = draw_time(random, kFirst, quick);
  for (const Fault fault : order) {
    Planned planned;
    planned.fault = fault;
    planned.begin = at;
    planned.length = draw_time(random, length_of(fault), quick);
    planned.on_all = !random.one_in(3);
    planned.draw = random.next();
    schedule.push_back(planned);
    // Numbers are drawn whether they are needed or not, so that one choice does not shift the rest.
    const bool overlaps = random.one_in(kOverlapOneIn);
    const bool is_long = random.one_in(kLongGapOneIn);
    const Nanoseconds gap = draw_time(random, is_long ? kLongGap : kGap, quick);
    at += overlaps ? planned.length / 2 : planned.length + gap;
  }
  return schedule;
}

}  // namespace sluice::ledger_run
