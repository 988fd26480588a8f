// One client connection of the load generator: pipelines requests up to its window, matches each
// reply with its request, and hands the outcome to the Measurement.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "measurement.h"
#include "options.h"

namespace sluice::bench {

class Connection {
 public:
  Connection(const Options& options, Measurement& measurement, std::size_t index);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Connects (blocking) and registers with `epoll_fd`; ends the program where that fails.
  void open(int epoll_fd);

  std::size_t index() const { return index_; }
  bool is_open() const { return socket_ >= 0; }
  bool has_output() const { return !output_.empty(); }
  bool has_room() const { return is_open() && outstanding_ < options_.window; }

  /// Queues one request, given in two parts without its closing brace. Its latency counts from
  /// `since`.
  void send(std::string_view head, std::string_view tail, std::int64_t since);
  /// Writes what is queued as far as the socket takes it.
  void flush();
  /// Reads and counts the replies that are there.
  void read_replies(std::int64_t now);

 private:
  /// A request with an id: the id is turn * window + index, so that an answer given twice is seen.
  struct Slot {
    std::int64_t since = 0;
    std::uint64_t turn = 0;
    bool used = false;
  };

  void take_reply(std::string_view line, std::int64_t now);
  bool take_since(std::string_view line, std::int64_t& since);
  void watch_writable(bool on);
  void lose();

  const Options& options_;
  Measurement& measurement_;
  std::size_t index_;
  int epoll_fd_ = -1;
  int socket_ = -1;
  bool watching_writable_ = false;
  unsigned outstanding_ = 0;
  std::string output_;
  std::size_t written_ = 0;
  std::string input_;
  std::deque<std::int64_t> in_order_;  ///< without ids: since when, oldest first
  std::vector<Slot> slots_;            ///< with ids
  std::vector<std::size_t> free_slots_;
};

}  // namespace sluice::bench
