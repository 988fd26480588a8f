// One client of sluice: sends numbered messages for its own devices, keeps a window of unanswered
// requests, and enters each reply into the ledger.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "poller.h"
#include "random.h"
#include "run_ledger.h"

namespace sluice::ledger_run {

struct ClientPlan {
  bool uses_ids = true;  ///< without ids, replies must come in the order of the requests
  unsigned window = 16;
  Nanoseconds timeout = 0;  ///< of every request, so that deadlines are in the order of requests
  std::vector<std::uint32_t> qos1_devices;  ///< either may be empty
  std::vector<std::uint32_t> qos2_devices;
};

/// The part of the time from a deadline to now that sluice did not cause; see Run.
using ExcusedDelay = std::function<Nanoseconds(Nanoseconds deadline, Nanoseconds now)>;

class LoadClient final : public Pollable {
 public:
  LoadClient(Poller& poller, RunLedger& ledger, ClientPlan plan, std::uint64_t seed,
             ExcusedDelay excused_delay);
  ~LoadClient();
  LoadClient(const LoadClient&) = delete;
  LoadClient& operator=(const LoadClient&) = delete;

  /// False: nothing listens there.
  bool connect(std::uint16_t port);
  bool has_room() const { return fd_ >= 0 && outstanding_ < plan_.window; }
  /// Queues one request; flush() writes.
  void send_one();
  void flush();
  void on_events(std::uint32_t events) override;
  /// From now on the connection may be closed.
  void expect_end() { end_is_expected_ = true; }

 private:
  void read();
  void take_reply(std::string_view line);
  void lose();
  void watch_writable(bool on);

  Poller& poller_;
  RunLedger& ledger_;
  const ClientPlan plan_;
  Random random_;
  const ExcusedDelay excused_delay_;
  int fd_ = -1;
  bool watches_writable_ = false;
  bool end_is_expected_ = false;
  unsigned outstanding_ = 0;
  std::string input_;
  std::string output_;
  std::size_t written_ = 0;
  std::deque<std::pair<std::uint32_t, std::uint64_t>> in_order_;  ///< without ids: oldest first
};

/// Parses a reply.
Answer parse_answer(std::string_view line);

}  // namespace sluice::ledger_run
