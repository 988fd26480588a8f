// A client's turn, its replies and its pauses. Reading is in client_connection_read.cc, closing and
// deadlines are in client_connection_end.cc.
#include "client/client_connection.h"

#include <algorithm>
#include <utility>

namespace sluice::client {
namespace {

constexpr std::uint8_t kRequestsPerTurn = 64;
/// Bytes read from one client before the others have their turn.
constexpr std::size_t kBytesPerTurn = 524288;
/// Beyond this size of a request the rest of it is read in larger pieces.
constexpr std::size_t kLargeRequest = kReadBytes / 2;
constexpr std::size_t kLargeReadBytes = event::Loop::kReadBufferBytes;
/// While the loop is busy, fewer bytes of replies than kSmallWrite wait for more, for at most
/// kEndsHeldBack turn ends (two per turn). With thousands of clients each reply would otherwise be
/// a write of its own.
constexpr std::size_t kSmallWrite = 512;
constexpr unsigned kEndsHeldBack = 4;
/// The shortest request: device_id of a digit, mqtt_topic of a letter, message of one digit.
constexpr std::size_t kShortestRequest = 44;

/// The low watermark: reading stops at `limit` and resumes below this.
constexpr std::size_t low_mark(std::size_t limit) noexcept {
  return limit - limit / 4;
}

/// The replies that a client is owed leave this much of output_bytes to their details.
constexpr std::size_t high_mark(std::size_t output_bytes) noexcept {
  return output_bytes - output_bytes / 8;
}

constexpr std::uint8_t bit(PauseReason reason) noexcept {
  return static_cast<std::uint8_t>(1U << static_cast<unsigned>(reason));
}

}  // namespace

ClientConnection::ClientConnection(ServerContext& context, std::uint32_t index,
                                   std::uint32_t generation, std::unique_ptr<event::Stream> stream)
    : context_(context),
      index_(index),
      generation_(generation),
      number_(++context.last_number),
      stream_(std::move(stream)),
      reader_(context.limits.max_request_bytes, context.spare, context.request_end),
      turn_end_(context.loop, bind<&ClientConnection::on_turn_end>(this)),
      replies_(context.buffers),
      active_at_(context.loop.now()),
      requests_left_(kRequestsPerTurn) {
  stream_->set_handler(this);
  set_read_size(kReadBytes);
}

/// Unlinks it unless close() has: the server may be gone by then.
ClientConnection::~ClientConnection() {
  if (is_linked()) context_.input.stop_waiting(*this);
  if (is_waiting()) context_.deadlines.forget(*this);
}

void ClientConnection::start() noexcept {
  stream_->start_reading();
  turn_end_.schedule();
}

void ClientConnection::on_turn_end() noexcept {
  requests_left_ = kRequestsPerTurn;
  turn_bytes_ = 0;
  const bool holds_back = hold_back();
  if (!holds_back) flush();
  update_pauses();
  decode_input();  // its replies schedule another run, which updates the pauses
  if (!holds_back) flush();
  advance_end();
  if (state_ == State::Closed) return;
  update_reading(false);
  if (state_ == State::Closed) return;
  watch_deadlines();
}

void ClientConnection::reply(std::uint64_t slot, const protocol::Reply& reply,
                             std::string_view id_json) noexcept {
  if (outstanding_ == 0 || abandons_replies_) return;
  --outstanding_;
  outstanding_id_bytes_ -= id_json.size();
  if (has_room_for_detail(reply, id_json)) {
    append_reply(slot, reply, id_json);
    return;
  }
  protocol::Reply brief = reply;
  brief.detail.clear();
  append_reply(slot, brief, id_json);
}

/// A detail is not among the bytes that a request reserves for its reply.
bool ClientConnection::has_room_for_detail(const protocol::Reply& reply,
                                           std::string_view id_json) noexcept {
  const std::size_t bytes = longest_reply() + id_json.size() + reply.detail.size();
  const std::size_t limit = context_.limits.output_bytes;
  if (reply.detail.empty() || output_bytes() + bytes <= limit) return true;
  flush();  // what the socket takes is not unread
  return output_bytes() + bytes <= limit;
}

void ClientConnection::reply_here(const protocol::Reply& reply, std::string_view id_json) noexcept {
  append_reply(id_json.empty() ? replies_.reserve() : 0, reply, id_json);
}

void ClientConnection::reply_fault(protocol::ErrorKind error, std::string detail,
                                   std::string_view id_json) noexcept {
  ++context_.counters.faults_of(error);
  context_.client_log.faulty(about(), error, detail);
  reply_here(protocol::Reply::failure(error, protocol::Published::No, std::move(detail)), id_json);
}

void ClientConnection::append_reply(std::uint64_t slot, const protocol::Reply& reply,
                                    std::string_view id_json) noexcept {
  active_at_ = context_.loop.now();
  turn_end_.schedule();
  if (slot != 0 && !replies_.is_next(slot)) {
    std::string text = context_.buffers.take();
    context_.encoder.append(reply, id_json, framing_, text);
    replies_.keep(slot, text);
    context_.buffers.give_back(std::move(text));
    return;
  }
  if (out_.empty()) out_ = context_.buffers.take();
  context_.encoder.append(reply, id_json, framing_, out_);
  if (slot != 0) replies_.advance(out_);
}

/// True: the replies of this turn wait for more. Holds back only while other replies are
/// outstanding.
bool ClientConnection::hold_back() noexcept {
  const bool may = context_.loop.is_busy() && state_ == State::Open && outstanding_ > 0 &&
                   !out_.empty() && out_.size() < kSmallWrite && ends_held_back_ < kEndsHeldBack;
  ends_held_back_ = may ? static_cast<std::uint8_t>(ends_held_back_ + 1) : std::uint8_t{0};
  if (may) turn_end_.schedule();
  return may;
}

void ClientConnection::flush() noexcept {
  if (out_.empty()) return;
  const bool was_idle = stream_->unsent() == 0;
  written_ += out_.size();
  stream_->write(out_);
  context_.buffers.give_back(std::move(out_));
  if (!was_idle) return;
  progress_at_ = context_.loop.now();
  sent_seen_ = written_ - stream_->unsent();
}

/// What a reply takes at most, apart from its id and its detail.
std::size_t ClientConnection::longest_reply() const noexcept {
  return context_.encoder.longest() + context_.longest_brokers + OrderedReplies::kBytesPerPlace;
}

/// The replies that are unread, and the longest ones that outstanding requests can get.
std::size_t ClientConnection::output_bytes() const noexcept {
  const std::size_t owed = outstanding_ * longest_reply() + outstanding_id_bytes_;
  return stream_->held() + out_.size() + replies_.kept_bytes() + owed;
}

bool ClientConnection::is_output_full() const noexcept {
  return output_bytes() > high_mark(context_.limits.output_bytes);
}

unsigned ClientConnection::resume(unsigned most) noexcept {
  context_.input.set_complete(parked_bytes_, 0);
  unpause(PauseReason::Queue);
  if (state_ != State::Open || pauses_ != 0 || !reader_.has_input()) return 0;
  const std::size_t in_pipeline = context_.limits.max_pipeline -
                                  std::min<std::size_t>(outstanding_, context_.limits.max_pipeline);
  const std::size_t in_input = reader_.unscanned() / kShortestRequest + 1;
  return static_cast<unsigned>(std::min({std::size_t{most}, in_pipeline, in_input}));
}

void ClientConnection::admit() noexcept {
  context_.input.stop_waiting(*this);
  unpause(PauseReason::Input);
}

bool ClientConnection::is_paused_for(PauseReason reason) const noexcept {
  return (pauses_ & bit(reason)) != 0;
}

void ClientConnection::pause(PauseReason reason) noexcept {
  if (state_ != State::Open || is_paused_for(reason)) return;
  if (pauses_ == 0) {
    if (!half_closed_) ++context_.counters.paused;
    paused_at_ = context_.loop.now();
  }
  pauses_ |= bit(reason);
  ++context_.counters.pauses_for(reason);
  if (reason == PauseReason::Input) context_.input.wait(*this);
}

void ClientConnection::unpause(PauseReason reason) noexcept {
  if (!is_paused_for(reason)) return;
  pauses_ &= static_cast<std::uint8_t>(~bit(reason));
  turn_end_.schedule();
  if (pauses_ != 0) return;
  if (!half_closed_) --context_.counters.paused;
  // The client could not send the rest of its request while paused.
  request_begun_ += context_.loop.now() - paused_at_;
}

void ClientConnection::update_pauses() noexcept {
  if (outstanding_ < low_mark(context_.limits.max_pipeline)) unpause(PauseReason::Pipeline);
  const std::size_t output = output_bytes();
  if (output > high_mark(context_.limits.output_bytes)) {
    pause(PauseReason::Output);
  } else if (output == 0 || output < low_mark(context_.limits.output_bytes)) {
    unpause(PauseReason::Output);
  }
}

/// Room for further input. Always true while closing: input is dropped then.
bool ClientConnection::has_room() const noexcept {
  if (state_ != State::Open) return true;
  return pauses_ == 0 && !reader_.has_input() && turn_bytes_ < kBytesPerTurn;
}

/// Stopping and starting to read cost system calls, and most clients send nothing while they wait:
/// without room, reading stops only if the client `is_sending`. At most kReadBytes are kept until
/// then. While the input budget is full, reading stops at once.
void ClientConnection::update_reading(bool is_sending) noexcept {
  if (broken_ && (pauses_ != 0 || has_room())) {
    close(CloseReason::Broken);
    return;
  }
  if (has_room()) {
    if (ended_input_) {
      stream_->stop_reading();
    } else {
      set_read_size(next_read_size());
      stream_->start_reading();
    }
    return;
  }
  const std::size_t kept = reader_.unscanned();
  if (is_sending || is_paused_for(PauseReason::Input) || kept >= kReadBytes) {
    stream_->stop_reading();
    return;
  }
  set_read_size(kReadBytes - kept);
}

/// Large within a large request, but not while the input budget is full: a large read may bring
/// requests behind it, which would have to be kept.
std::size_t ClientConnection::next_read_size() const noexcept {
  const bool is_large = reader_.inside_request() && reader_.buffered() > kLargeRequest;
  return is_large && !context_.input.is_full() ? kLargeReadBytes : kReadBytes;
}

void ClientConnection::set_read_size(std::size_t bytes) noexcept {
  if (bytes == read_size_) return;
  read_size_ = static_cast<std::uint32_t>(bytes);
  stream_->set_read_size(bytes);
}

}  // namespace sluice::client
