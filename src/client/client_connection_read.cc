// Turns one client's bytes into requests.
#include <algorithm>
#include <chrono>
#include <utility>
#include <variant>

#include "base/log.h"
#include "client/client_connection.h"

namespace sluice::client {

using protocol::Frame;

void ClientConnection::on_read(std::span<const char> bytes) noexcept {
  if (state_ != State::Open) return;  // read only so that the socket can be closed without a reset
  const bool is_sending = !has_room() || bytes.size() >= read_size_;
  turn_bytes_ += static_cast<std::uint32_t>(bytes.size());
  active_at_ = context_.loop.now();
  idle_turn_ends_ = 0;
  reader_.feed({bytes.data(), bytes.size()});
  decode_input();
  update_reading(is_sending);
  turn_end_.schedule();
}

void ClientConnection::on_end() noexcept {
  if (state_ == State::Closed) return;
  ended_input_ = true;
  if (state_ == State::Lingering) {
    close(end_reason_);
    return;
  }
  note_half_close();
  turn_end_.schedule();
}

/// Decodes until the input ends, the client is paused, or kRequestsPerTurn is used up.
void ClientConnection::decode_input() noexcept {
  if (state_ != State::Open || !(reader_.has_input() || ended_input_)) return;
  decoded_at_ = context_.loop.precise_now();
  const std::uint32_t begun_before = reader_.begun();
  bool is_partial = false;
  while (state_ == State::Open && requests_left_ > 0) {
    pause_if_full();
    if (pauses_ != 0) break;
    if (!take_fast_path()) {
      const Frame frame = reader_.next();
      framing_ = reader_.framing();
      if (frame.kind == Frame::Kind::NeedMore) {
        if (ended_input_) finish_input();
        is_partial = reader_.inside_request();
        break;
      }
      take_frame(frame);
    }
    --requests_left_;
  }
  reader_.save();
  // A new partial request pauses while the input budget is full, unless a large read already
  // brought more than kReadBytes of it.
  const bool has_begun = reader_.begun() != begun_before;
  const bool may_wait = is_partial && has_begun && reader_.buffered() <= kReadBytes;
  if (may_wait && context_.input.is_full()) pause(PauseReason::Input);
  if (has_begun) request_begun_ = context_.loop.now();
  // kRequestsPerTurn used up: continue at the end of the turn.
  const bool is_unfinished = reader_.has_input() || ended_input_;
  if (state_ == State::Open && pauses_ == 0 && is_unfinished) turn_end_.schedule();
  count_input();
  if (context_.input.is_exceeded()) context_.input_exceeded();
}

void ClientConnection::pause_if_full() noexcept {
  if (outstanding_ >= context_.limits.max_pipeline) pause(PauseReason::Pipeline);
  if (!is_output_full()) return;
  flush();  // what the socket takes is not unread
  if (is_output_full()) pause(PauseReason::Output);
}

/// Takes the next request in one pass, if it was read whole and the fast path can decode it.
bool ClientConnection::take_fast_path() noexcept {
  const std::string_view ahead = reader_.ahead();
  if (ahead.empty()) return false;
  std::size_t size = 0;
  protocol::Decoded decoded = context_.decoder.decode_fast_path(ahead, size);
  if (size == 0) return false;
  reader_.consume(size);
  take_decoded(std::move(decoded));
  return true;
}

void ClientConnection::take_frame(const Frame& frame) noexcept {
  switch (frame.kind) {
    case Frame::Kind::NeedMore:
      return;
    case Frame::Kind::Request:
      take_request(frame);
      return;
    case Frame::Kind::Fault:
      reply_fault(frame.error, std::string(frame.detail), context_.decoder.find_id(frame.bytes));
      if (frame.ends_connection) end(CloseReason::BadFraming);
      return;
    case Frame::Kind::Http:
      take_http(frame.is_first);
      return;
    case Frame::Kind::Close:
      context_.client_log.not_our_protocol(about(), frame.detail);
      end(CloseReason::BadFraming);
      return;
  }
}

void ClientConnection::take_request(const Frame& frame) noexcept {
  protocol::Decoded decoded = context_.decoder.decode(frame.bytes, reader_.block_of_request());
  if (auto* fault = std::get_if<protocol::Fault>(&decoded))
    fault->detail += reader_.hint(frame.bytes);
  take_decoded(std::move(decoded));
}

/// A browser can be made to send one: nothing of it is scanned or repeated.
void ClientConnection::take_http(bool is_first) noexcept {
  context_.client_log.http(about());
  if (is_first) {
    out_ += protocol::kHttpRefusal;
  } else {
    ++context_.counters.faults_of(protocol::ErrorKind::BadRequest);
    reply_here(protocol::Reply::failure(protocol::ErrorKind::BadRequest, protocol::Published::No,
                                        "received an HTTP request"),
               {});
  }
  end(CloseReason::BadFraming);
}

void ClientConnection::take_decoded(protocol::Decoded&& decoded) noexcept {
  if (auto* request = std::get_if<protocol::Request>(&decoded)) {
    submit(*request);
  } else if (auto* fault = std::get_if<protocol::Fault>(&decoded)) {
    reply_fault(fault->error, std::move(fault->detail), fault->id);
  } else if (auto* authenticate = std::get_if<protocol::Authenticate>(&decoded)) {
    protocol::Reply reply = protocol::Reply::success();
    reply.authenticated_only = true;
    ++context_.counters.authenticated;
    log::debug(about(), "authenticated: request with only a token");
    reply_here(reply, authenticate->id);
  }
}

void ClientConnection::submit(protocol::Request& request) noexcept {
  const std::size_t bytes = request.bytes();
  const std::uint64_t slot = request.id().empty() ? replies_.reserve() : 0;
  ++outstanding_;
  outstanding_id_bytes_ += request.id().size();
  // Not Loop::now(): that is the beginning of the turn, before the request was read.
  const TimePoint begin(std::chrono::ceil<Duration>(decoded_at_));
  switch (context_.intake.submit(
      origin(slot), request,
      {.deadline = begin + Duration(request.timeout_ms), .received = decoded_at_})) {
    case ledger::Taken::Accepted:
    case ledger::Taken::Settled:
    case ledger::Taken::Full:  // not with WhenFull::Wait
      return;
    case ledger::Taken::Waits:
      context_.input.set_complete(parked_bytes_, bytes);
      pause(PauseReason::Queue);
      return;
  }
}

/// The client has shut down its writing side, and all its input is decoded.
void ClientConnection::finish_input() noexcept {
  const Frame last = reader_.finish();
  if (last.kind == Frame::Kind::Fault) {
    reply_fault(last.error, std::string(last.detail), context_.decoder.find_id(last.bytes));
  }
  end(CloseReason::ClosedByClient);
}

void ClientConnection::count_input() noexcept {
  const std::size_t held = state_ == State::Open ? reader_.buffered() : 0;
  const bool is_partial = reader_.inside_request() && !is_paused_for(PauseReason::Input);
  context_.input.set_partial(partial_bytes_, is_partial ? held : 0);
  const std::size_t beyond = held - std::min(held, kReadBytes);
  context_.input.set_complete(kept_bytes_, is_partial ? 0 : beyond);
}

}  // namespace sluice::client
