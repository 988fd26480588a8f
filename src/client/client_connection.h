// One accepted connection: turns its bytes into requests, sends their replies in order, and stops
// reading while there is no room for more.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/deadline_queue.h"
#include "base/list.h"
#include "base/log.h"
#include "client/ordered_replies.h"
#include "client/server_context.h"
#include "event/loop.h"
#include "event/stream.h"
#include "ledger/origin.h"
#include "protocol/frame_reader.h"

namespace sluice::client {

/// The size of one read, except within a large request. Of complete requests not decoded yet, bytes
/// beyond this many count towards input_bytes; a partial request counts whole.
inline constexpr std::size_t kReadBytes = 16384;

/// Owned by the Server's table until close(), by Loop::retire() from then on. It closes only in its
/// own callbacks, at the end of a turn or in check_deadlines(), never within reply().
class ClientConnection final : public event::StreamHandler,
                               public DeadlineEntry,
                               public ListNode<> {
 public:
  /// `index` and `generation`: its place in the server's table.
  ClientConnection(ServerContext& context, std::uint32_t index, std::uint32_t generation,
                   std::unique_ptr<event::Stream> stream);
  ~ClientConnection();
  ClientConnection(const ClientConnection&) = delete;
  ClientConnection& operator=(const ClientConnection&) = delete;

  /// Starts reading.
  void start() noexcept;
  /// Instead of start(): replies `overloaded` and closes gracefully.
  void refuse() noexcept;

  /// Sends the reply to a submitted request. `slot` 0: the request has an id, and its reply no
  /// order.
  void reply(std::uint64_t slot, const protocol::Reply& reply, std::string_view id_json) noexcept;
  /// The waiting request was accepted or answered: decoding continues at the end of this turn or
  /// the next. Returns how many requests it can submit then, at most `most`.
  unsigned resume(unsigned most) noexcept;
  /// The input budget has room again, and this client is the first that waits for it.
  void admit() noexcept;
  /// The settings changed, or the server drains: handled at the end of the turn.
  void wake() noexcept { turn_end_.schedule(); }
  void set_max_request_bytes(std::size_t bytes) noexcept { reader_.set_max_request_bytes(bytes); }

  /// Answers the partly received request with `error`, then closes gracefully.
  void fail(protocol::ErrorKind error, std::string detail, CloseReason reason) noexcept;
  /// Closes gracefully, without waiting for outstanding replies.
  void end_now() noexcept;
  /// Handles the deadlines that have passed and schedules the next check.
  void check_deadlines(TimePoint now) noexcept;

  ledger::Origin origin(std::uint64_t slot = 0) const noexcept {
    return {&context_.source, index_, generation_, slot};
  }
  std::string_view peer() const noexcept { return stream_->peer().name; }
  /// The subject of its log lines.
  log::Subject about() const noexcept { return log::Subject::client(peer(), number_); }
  std::size_t partial_bytes() const noexcept { return partial_bytes_; }
  bool is_refused() const noexcept { return refused_; }
  /// It will send nothing more, as far as is known yet.
  bool is_half_closed() const noexcept { return half_closed_; }
  bool is_paused() const noexcept { return pauses_ != 0; }
  bool is_paused_for(PauseReason reason) const noexcept;
  /// Valid only while is_paused().
  TimePoint paused_since() const noexcept { return paused_at_; }

 private:
  enum class State {
    Open,
    Ending,     // replies still to be sent; input is dropped
    Lingering,  // shut down; input is dropped until the peer closes, for 1 s at most
    Closed,
  };

  void on_read(std::span<const char> bytes) noexcept override;
  void on_refused(std::string_view why) noexcept override;
  void on_end() noexcept override;
  void on_broken(int uv_error) noexcept override;
  void on_sent() noexcept override;
  void on_turn_end() noexcept;

  void decode_input() noexcept;
  void pause_if_full() noexcept;
  void take_frame(const protocol::Frame& frame) noexcept;
  void take_request(const protocol::Frame& frame) noexcept;
  bool take_fast_path() noexcept;
  void take_http(bool is_first) noexcept;
  void take_decoded(protocol::Decoded&& decoded) noexcept;
  void submit(protocol::Request& request) noexcept;
  void finish_input() noexcept;
  void count_input() noexcept;

  void reply_here(const protocol::Reply& reply, std::string_view id_json) noexcept;
  void reply_fault(protocol::ErrorKind error, std::string detail,
                   std::string_view id_json) noexcept;
  /// `slot` as for reply().
  void append_reply(std::uint64_t slot, const protocol::Reply& reply,
                    std::string_view id_json) noexcept;
  bool has_room_for_detail(const protocol::Reply& reply, std::string_view id_json) noexcept;
  bool hold_back() noexcept;
  void flush() noexcept;
  std::size_t longest_reply() const noexcept;
  std::size_t output_bytes() const noexcept;
  bool is_output_full() const noexcept;

  bool has_room() const noexcept;
  void pause(PauseReason reason) noexcept;
  void unpause(PauseReason reason) noexcept;
  void update_pauses() noexcept;
  void update_reading(bool is_sending) noexcept;
  std::size_t next_read_size() const noexcept;
  void set_read_size(std::size_t bytes) noexcept;

  void drop_input() noexcept;
  void note_half_close() noexcept;
  void lose_peer() noexcept;
  bool is_unwatched() const noexcept;
  void look_at_peer(TimePoint now) noexcept;

  TimePoint next_deadline() const noexcept;
  TimePoint request_deadline() const noexcept;
  TimePoint idle_deadline() const noexcept;
  bool check_write_progress(TimePoint now) noexcept;
  void watch_deadlines() noexcept;

  void end(CloseReason reason) noexcept;
  void advance_end() noexcept;
  void close(CloseReason reason) noexcept;

  ServerContext& context_;
  const std::uint32_t index_;
  const std::uint32_t generation_;
  const std::uint64_t number_;
  std::unique_ptr<event::Stream> stream_;
  protocol::FrameReader reader_;
  event::Deferred turn_end_;
  OrderedReplies replies_;
  std::string out_;                        // the replies of this turn
  std::size_t outstanding_ = 0;            // submitted and not answered
  std::size_t outstanding_id_bytes_ = 0;   // of their ids, which their replies repeat
  std::uint64_t written_ = 0;              // bytes given to the stream
  std::uint64_t sent_seen_ = 0;            // of these, taken by the socket at the last check
  TimePoint active_at_;                    // last byte in or reply out
  std::chrono::nanoseconds decoded_at_{};  // start of the latest decode_input()
  TimePoint request_begun_{};  // begin of the partial request, without the time paused since
  TimePoint paused_at_{};
  TimePoint progress_at_{};  // when the socket last took bytes, or had none to take
  TimePoint linger_until_{};
  TimePoint peer_look_at_ = TimePoint::max();  // max: the stream reports what the peer does
  // Bytes that the input budget counts for this client.
  std::uint32_t partial_bytes_ = 0;  // of a partly received request
  std::uint32_t parked_bytes_ = 0;   // of the request that waits
  std::uint32_t kept_bytes_ = 0;     // of input beyond a read that waits to be decoded
  std::uint32_t read_size_ = 0;      // what one read takes at most
  std::uint32_t turn_bytes_ = 0;     // read in this turn
  std::uint8_t requests_left_;       // to decode in this turn
  std::uint8_t ends_held_back_ = 0;  // turn ends at which the replies in out_ were held back
  std::uint8_t idle_turn_ends_ = 0;  // turn ends since the last read, while draining
  protocol::Framing framing_ = protocol::Framing::Unknown;
  State state_ = State::Open;
  CloseReason end_reason_ = CloseReason::ClosedByClient;
  std::uint8_t pauses_ = 0;  // one bit per PauseReason
  bool ended_input_ = false;
  bool half_closed_ = false;
  bool broken_ = false;  // reported while input was not decoded yet: closes when it is, or pauses
  bool abandons_replies_ = false;
  bool refused_ = false;
};

}  // namespace sluice::client
