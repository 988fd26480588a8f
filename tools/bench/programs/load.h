// The load itself: all connections in one epoll loop on one thread. Closed loop: each connection
// keeps its window full. Open loop (--rate): messages leave at their time, answered or not.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "connection.h"
#include "measurement.h"
#include "options.h"

namespace sluice::bench {

class Load {
 public:
  Load(const Options& options, Measurement& measurement);
  ~Load();
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  /// Connects, runs to the end of the measurement, and returns.
  void run();

 private:
  void prepare_requests();
  void turn();
  void fill(std::size_t index, std::int64_t now);
  void send_due(std::int64_t now);
  bool may_send_at(std::int64_t now) const;
  void arm_timer();
  void send_next(std::size_t index, std::int64_t since);
  bool any_open() const;

  const Options& options_;
  Measurement& measurement_;
  int epoll_fd_;
  int timer_fd_ = -1;
  std::vector<std::string> heads_;  ///< how a request begins, one per device
  std::string tail_;                ///< the rest, the same for all, without the closing brace
  std::vector<std::size_t> next_device_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::size_t next_connection_ = 0;
  bool out_of_room_ = false;         ///< open loop: no connection may send, whatever is due
  std::vector<std::size_t> filled_;  ///< got requests in this turn, to be written together
};

}  // namespace sluice::bench
