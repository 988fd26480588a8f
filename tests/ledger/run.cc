// Runs the loop through the phases: start, load under faults, wait for the last replies, stop.
#include "run.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <stdexcept>

#include "net.h"

namespace sluice::ledger_run {

volatile std::sig_atomic_t interrupted = 0;

namespace {

constexpr int kTurnMs = 2;
constexpr Nanoseconds kStartWithin = 20 * kSecond;
constexpr Nanoseconds kLongestLoad = 300 * kSecond;
constexpr Nanoseconds kCalmAtTheEnd = 300 * kMillisecond;
constexpr Nanoseconds kReplyGrace = 2 * kSecond;
constexpr Nanoseconds kStopWithin = 15 * kSecond;
constexpr double kLongestBurst = 0.02;  // seconds of the rate that may accumulate
constexpr Nanoseconds kNoteEvery = 10 * kMillisecond;
constexpr Nanoseconds kWorthALook = 100 * kMillisecond;
constexpr Nanoseconds kShowEvery = 200 * kMillisecond;

/// The shortest is over before most faults end.
constexpr std::array kTimeouts = {800 * kMillisecond, 2500 * kMillisecond, 4000 * kMillisecond,
                                  4000 * kMillisecond, 6000 * kMillisecond};
constexpr Nanoseconds kLongestTimeout = 6000 * kMillisecond;
constexpr unsigned kQos1Devices = 6;  // of each client, if both are sent
constexpr unsigned kQos2Devices = 3;
constexpr unsigned kDevices = kQos1Devices + kQos2Devices;
constexpr unsigned kWithoutIdsOneIn = 5;

}  // namespace

Run::Run(const Options& options, std::uint64_t seed)
    : options_(options),
      seed_(seed),
      start_(now_ns()),
      ledger_(Limits{}, start_),
      broker_(poller_, ledger_, seed, options.has_tls),
      subject_({options.binary, broker_.port(), options.is_v5, options.has_tls, options.debug}),
      last_turn_(start_) {}

RunResult Run::execute() {
  wait_for_sluice();
  open_clients();
  poller_.forget_worst_stall();
  load();
  settle();
  RunResult result;
  result.worst_stall = poller_.worst_stall();
  result.longest_wait = longest_wait_;
  stop();
  ledger_.finish(now_ns());
  result.seed = seed_;
  result.figures = ledger_.figures();
  result.violations = ledger_.violations();
  result.faults_made = player_->made();
  result.took = now_ns() - start_;
  if (options_.keep || result.violations.total() > 0) {
    subject_.keep();
    result.folder = subject_.folder();
  }
  return result;
}

void Run::turn() {
  poller_.turn(kTurnMs);
  const Nanoseconds now = now_ns();
  if (now - last_noted_ >= kNoteEvery) {
    subject_.note_waiting(now);
    last_noted_ = now;
  }
  if (player_) player_->tick(now);
  broker_.tick(now);
  if (interrupted != 0) throw std::runtime_error("interrupted");
}

/// Until sluice listens and has a connection to the broker: the start is not under test.
void Run::wait_for_sluice() {
  const Nanoseconds end = now_ns() + kStartWithin;
  while (broker_.live().empty()) {
    turn();
    if (subject_.has_ended()) {
      throw std::runtime_error("sluice did not start: " + subject_.exit_text() +
                               subject_.last_lines());
    }
    if (now_ns() > end) {
      throw std::runtime_error("sluice did not connect:" + subject_.last_lines());
    }
  }
}

/// The excused part of a reply's delay after its deadline: this program was late, or sluice waited
/// for a processor. Mostly both at the same time, so the longer one.
Nanoseconds Run::excused_delay(Nanoseconds deadline, Nanoseconds now) {
  const Nanoseconds own = poller_.own_part(deadline, now);
  if (now - deadline - own < kWorthALook) return own;
  const Nanoseconds waited = subject_.waited(deadline, now);
  longest_wait_ = std::max(longest_wait_, waited);
  return std::max(own, waited);
}

void Run::open_clients() {
  Random random(seed_ ^ 0xC11E47U);
  const auto delay_of = [this](Nanoseconds deadline, Nanoseconds now) {
    return excused_delay(deadline, now);
  };
  for (unsigned i = 0; i < options_.connections; ++i) {
    ClientPlan plan;
    plan.window = options_.window;
    plan.uses_ids = i % kWithoutIdsOneIn != 0;
    plan.timeout = kTimeouts[random.below(kTimeouts.size())];
    const unsigned qos1_devices = options_.qos == 0   ? kQos1Devices
                                  : options_.qos == 1 ? kDevices
                                                      : 0;
    for (unsigned d = 0; d < qos1_devices; ++d)
      plan.qos1_devices.push_back(ledger_.add_device(1, plan.timeout));
    for (unsigned d = qos1_devices; d < kDevices; ++d)
      plan.qos2_devices.push_back(ledger_.add_device(2, plan.timeout));
    clients_.push_back(
        std::make_unique<LoadClient>(poller_, ledger_, std::move(plan), random.next(), delay_of));
    if (!clients_.back()->connect(subject_.port())) {
      throw std::runtime_error("sluice does not listen:" + subject_.last_lines());
    }
  }
}

/// Sends requests while the schedule runs. If it ends before enough requests were sent, it is
/// repeated.
void Run::load() {
  const Nanoseconds begin = now_ns();
  last_turn_ = begin;
  player_.emplace(broker_, ledger_, draw_schedule(seed_, options_.faults, options_.quick), begin);
  while (true) {
    turn();
    const Nanoseconds now = now_ns();
    send_what_is_due(now);
    show_progress(now);
    if (now - begin > kLongestLoad) break;
    if (!player_->is_over()) continue;
    if (ledger_.figures().messages >= options_.messages) break;
    player_->repeat(now);
  }
  player_->end_all(now_ns());
}

void Run::send_what_is_due(Nanoseconds now) {
  const double rate = options_.rate;
  if (options_.rate > 0) {
    allowance_ = std::min(allowance_ + as_seconds(now - last_turn_) * rate, kLongestBurst * rate);
  } else {
    allowance_ = static_cast<double>(clients_.size()) * options_.window;
  }
  last_turn_ = now;
  std::size_t without_room = 0;
  while (allowance_ >= 1 && without_room < clients_.size()) {
    LoadClient& client = *clients_[next_client_];
    next_client_ = (next_client_ + 1) % clients_.size();
    if (!client.has_room()) {
      ++without_room;
      continue;
    }
    without_room = 0;
    allowance_ -= 1;
    client.send_one();
  }
  for (const auto& client : clients_)
    client->flush();
}

/// Waits for the last replies, and kCalmAtTheEnd longer for replies that must not come.
void Run::settle() {
  const Nanoseconds end = now_ns() + kLongestTimeout + kReplyGrace;
  while (ledger_.unanswered() > 0 && now_ns() < end)
    turn();
  const Nanoseconds calm_until = now_ns() + kCalmAtTheEnd;
  while (now_ns() < calm_until)
    turn();
}

void Run::stop() {
  for (const auto& client : clients_)
    client->expect_end();
  Violations& violations = ledger_.violations();
  if (subject_.has_ended()) {
    violations.add(Breach::BadEnd, [this] {
      return "ended by itself: " + subject_.exit_text() + subject_.last_lines();
    });
    return;
  }
  subject_.terminate();
  const Nanoseconds end = now_ns() + kStopWithin;
  while (!subject_.has_ended() && now_ns() < end)
    turn();
  if (!subject_.has_ended()) {
    subject_.kill();
    violations.add(Breach::BadEnd, [] { return std::string("did not end after SIGTERM"); });
  } else if (!subject_.ended_well()) {
    violations.add(Breach::BadEnd, [this] { return subject_.exit_text() + subject_.last_lines(); });
  }
  const std::string report = subject_.sanitizer_report();
  if (!report.empty()) violations.add(Breach::BadEnd, [&] { return report; });
}

void Run::show_progress(Nanoseconds now) {
  if (now - last_shown_ < kShowEvery || ::isatty(STDERR_FILENO) == 0) return;
  last_shown_ = now;
  std::fprintf(stderr, "\r\033[Kseed %ju: %.0f s, %ju messages, %ju faults; now: %s",
               std::uintmax_t{seed_}, as_seconds(now - start_),
               std::uintmax_t{ledger_.figures().messages}, std::uintmax_t{player_->made()},
               player_->running().c_str());
}

}  // namespace sluice::ledger_run
