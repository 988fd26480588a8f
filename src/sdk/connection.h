// One connection's state: requests in flight, bytes to be written, results not collected yet.
// Client forwards to it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "sdk/reply.h"
#include "sluice/client.h"

namespace sluice::sdk {

class Connection {
 public:
  explicit Connection(ClientOptions options);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  bool connect(std::string_view address);
  void close();
  PublishResult publish(const Message& message);
  std::optional<Ticket> submit(const Message& message);
  std::optional<PublishResult> next_result(std::chrono::milliseconds timeout);

  bool can_submit() const noexcept;
  bool wants_write() const noexcept;
  std::size_t outstanding() const noexcept { return pending_.size() + ready_.size(); }
  int fd() const noexcept { return fd_; }
  const std::string& error() const noexcept { return error_; }

 private:
  using Clock = std::chrono::steady_clock;

  /// A request without its reply. Offsets count all bytes of the connection.
  struct Pending {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;  ///< behind the closing brace: the server can have read it whole
    std::string key;        ///< empty: sent without an id
    std::optional<RequestId> id;
  };
  using PendingMap = std::map<Ticket, Pending>;

  Ticket accept(const Message& message);
  void fail_now(Ticket ticket, const std::optional<RequestId>& id, Outcome outcome,
                std::string error, std::string detail);
  std::optional<RequestId> choose_id(const Message& message);

  /// Waits for the socket (negative: without limit), then reads and writes what it can.
  void pump(std::chrono::milliseconds timeout);
  void read_some();
  void write_some();
  void take_replies();
  void take_reply(std::string text);
  /// The request that a reply without an id answers; end() where that is ambiguous.
  PendingMap::iterator owner_without_id(const ServerReply& reply);
  void settle(PendingMap::iterator which, const ServerReply& reply, std::string text);
  /// The only end of a connection: everything unanswered becomes a result.
  void lose(std::string_view word, const std::string& why);
  PublishResult lost_result(const Pending& pending, std::string_view word,
                            const std::string& why) const;

  bool is_output_full() const noexcept;
  bool is_quiet_for_too_long() const;
  std::chrono::milliseconds wait_limit(bool is_limited, Clock::time_point deadline) const;

  ClientOptions options_;
  int fd_ = -1;
  std::string error_;
  bool write_failed_ = false;  ///< the peer takes no more, but may still have replies for us

  std::string output_;
  std::size_t output_at_ = 0;
  std::uint64_t submitted_bytes_ = 0;
  std::uint64_t written_bytes_ = 0;

  ReplyScanner scanner_;
  std::uint64_t replies_seen_ = 0;
  std::optional<ServerReply> overloaded_;  ///< received without an id; see lost_result()
  std::string overloaded_text_;
  bool token_accepted_ = false;
  Clock::time_point last_progress_;

  Ticket last_ticket_ = 0;
  std::int64_t last_id_ = 0;
  PendingMap pending_;
  std::unordered_map<std::string, Ticket> tickets_by_key_;
  std::deque<PublishResult> ready_;
};

}  // namespace sluice::sdk
