// A server between a scripted intake and clients on plain sockets.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "catch.h"
#include "client/server.h"
#include "config/config.h"
#include "ledger/intake.h"
#include "ledger/source.h"
#include "protocol/request.h"
#include "test_loop.h"

namespace sluice::client {

/// Handles each submitted request as the test orders.
class FakeIntake final : public ledger::Intake {
 public:
  enum class Mode { Hold, Answer, Park };
  struct Submitted {
    ledger::Origin origin;
    std::string topic;
    ledger::Terms terms;
    protocol::Request request;
  };

  ledger::Taken submit(const ledger::Origin& origin, protocol::Request& request,
                       const ledger::Terms& terms) noexcept override;
  void forget(const ledger::Origin& origin) noexcept override { forgotten.push_back(origin); }

  /// Answers the request of that number (from 0) with code 1, and returns it.
  void answer(std::size_t number);
  /// The number of the first request with this topic; it must have come.
  std::size_t find(std::string_view topic) const;

  Mode mode = Mode::Hold;
  std::function<Mode(const Submitted&)> choose;  // instead of `mode`, if set
  std::deque<Submitted> submitted;
  std::vector<ledger::Origin> forgotten;
};

/// One client's non-blocking socket.
class Peer {
 public:
  static Peer tcp(std::uint16_t port);
  static Peer unix_socket(const std::string& path);
  Peer(Peer&& other) noexcept;
  Peer& operator=(Peer&&) = delete;
  ~Peer();

  /// Queues bytes; pump() sends what the socket takes.
  void send(std::string_view bytes);
  void shut_down();
  /// Closes both directions; the server gets a FIN, as from shut_down().
  void close();
  /// Closes with a reset: replies still to come are lost.
  void reset();
  /// Sends and receives what it can without waiting.
  void pump();
  void stop_receiving() { receives_ = false; }
  void start_receiving() { receives_ = true; }

  bool all_sent() const { return unsent_.empty(); }
  bool at_end() const { return at_end_; }
  bool was_reset() const { return was_reset_; }
  const std::string& received() const { return received_; }
  /// The number of whole lines received.
  std::size_t lines() const;
  /// One whole line, from 0, without its newline.
  std::string line(std::size_t number) const;

 private:
  explicit Peer(int fd) : fd_(fd) {}
  void receive();

  int fd_;
  std::string unsent_;
  std::string received_;
  bool receives_ = true;
  bool wants_shut_down_ = false;
  bool at_end_ = false;
  bool was_reset_ = false;
};

/// The destructor closes the loop, which proves that no handle is left.
class Lab {
 public:
  explicit Lab(const std::function<void(config::Config&)>& change = {});
  ~Lab();
  Lab(const Lab&) = delete;
  Lab& operator=(const Lab&) = delete;

  Peer& connect();
  Peer& connect_unix();
  /// A client that does not read its replies.
  Peer& connect_without_reading();
  /// Runs turns and pumps all peers until the condition holds, without advancing the clock.
  void run_until(const std::function<bool()>& condition) { loop.run_until(condition); }
  void run_turns(int count) { loop.run_turns(count); }
  /// Waits until `count` requests were submitted in all.
  void wait_for_requests(std::size_t count);
  /// Waits for a line and returns it.
  std::string wait_for_line(Peer& peer, std::size_t number);
  void wait_for_end(Peer& peer);
  /// Advances the clock.
  void advance(Duration time) { loop.advance(time); }
  const ServerCounters& counters() const { return server->counters(); }

  event::TestLoop loop;
  FakeIntake intake;
  config::Config config;
  std::unique_ptr<Server> server;

 private:
  std::string directory_;
  std::vector<std::unique_ptr<Peer>> peers_;
};

/// A request; without an id, its reply is sent in order.
std::string request(std::string_view topic, std::string_view id_json = {});
/// This many requests, each with an id of 250 characters, which its reply repeats.
std::string with_long_replies(int count);
/// A request, made `bytes` long by its message.
std::string request_of(std::size_t bytes, std::string_view topic = "large");
/// `body` as a length-prefixed frame.
std::string frame(std::string_view body);

}  // namespace sluice::client
