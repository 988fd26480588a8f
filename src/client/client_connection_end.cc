// Closing a connection: deadlines, the stages of a graceful close, and close().
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/log.h"
#include "client/client_connection.h"

namespace sluice::client {
namespace {

constexpr Duration kLinger = std::chrono::milliseconds(1000);
/// Turn ends (two per turn) after which data already in the socket has been read.
constexpr unsigned kTurnEndsToRead = 3;
/// How often a client is looked at of which the stream reports nothing.
constexpr Duration kPeerLook = std::chrono::milliseconds(500);

}  // namespace

void ClientConnection::refuse() noexcept {
  refused_ = true;
  append_reply(0,
               protocol::Reply::failure(protocol::ErrorKind::Overloaded, protocol::Published::No,
                                        "too many connections"),
               {});
  end(CloseReason::Refused);
}

void ClientConnection::fail(protocol::ErrorKind error, std::string detail,
                            CloseReason reason) noexcept {
  if (state_ != State::Open) return;
  const protocol::Frame partial = reader_.finish();
  detail += reader_.hint(partial.bytes);
  reply_fault(error, std::move(detail), context_.decoder.find_id(partial.bytes));
  end(reason);
  drop_input();  // at once: many clients may fail in one turn, because together they hold too much
}

/// Frees what was received and not decoded. Nothing is read any more.
void ClientConnection::drop_input() noexcept {
  reader_ = protocol::FrameReader(context_.limits.max_request_bytes, context_.spare,
                                  context_.request_end);
}

void ClientConnection::end_now() noexcept {
  abandons_replies_ = true;
  replies_.drop_kept();
  end(CloseReason::Stopping);
  turn_end_.schedule();
}

/// Starts the graceful close: input is read and dropped, outstanding requests are still answered
/// unless end_now() abandoned them.
void ClientConnection::end(CloseReason reason) noexcept {
  if (state_ != State::Open) return;
  state_ = State::Ending;
  end_reason_ = reason;
  if (is_linked()) context_.input.stop_waiting(*this);
  for (const PauseReason pause : kAllPauseReasons)
    unpause(pause);
  count_input();
  turn_end_.schedule();
}

void ClientConnection::advance_end() noexcept {
  const bool is_idle = outstanding_ == 0 && !reader_.has_input();
  if (state_ == State::Open && context_.draining && is_idle) {
    // Requests that are in the socket already are answered, too: read once more first.
    if (++idle_turn_ends_ > kTurnEndsToRead) {
      end(CloseReason::Stopping);
    } else {
      turn_end_.schedule();
    }
  }
  if (state_ != State::Ending) return;
  drop_input();
  if (outstanding_ > 0 && !abandons_replies_) return;
  stream_->shut_down();
  if (stream_->unsent() > 0) return;
  if (ended_input_) {
    close(end_reason_);
    return;
  }
  state_ = State::Lingering;
  linger_until_ = context_.loop.now() + kLinger;
}

void ClientConnection::on_refused(std::string_view why) noexcept {
  if (state_ != State::Open) return;
  context_.client_log.proxy_refused(about(), why);
  end(CloseReason::ProxyProtocol);
}

void ClientConnection::on_broken(int) noexcept {
  lose_peer();
}

/// Input that came before the connection broke is still decoded, but not what would have to wait.
void ClientConnection::lose_peer() noexcept {
  if (pauses_ != 0 || has_room() || stream_->unsent() > 0) {
    close(CloseReason::Broken);
    return;
  }
  broken_ = true;
  turn_end_.schedule();
}

/// Its requests stay valid, because it may still read, but it gives up its place: one that has
/// closed the connection may look the same until a reply is sent to it.
void ClientConnection::note_half_close() noexcept {
  if (half_closed_ || refused_) return;
  half_closed_ = true;
  ++context_.counters.half_closed;
  --context_.counters.connections;
  if (pauses_ != 0) --context_.counters.paused;
}

/// No event of the stream reports that the peer is gone.
bool ClientConnection::is_unwatched() const noexcept {
  return state_ != State::Lingering && (pauses_ != 0 || ended_input_);
}

void ClientConnection::look_at_peer(TimePoint now) noexcept {
  peer_look_at_ = now + kPeerLook;
  switch (stream_->peer_state()) {
    case event::PeerState::Open:
      return;
    case event::PeerState::HalfClosed:
      note_half_close();
      return;
    case event::PeerState::Gone:
      lose_peer();
      return;
  }
}

void ClientConnection::on_sent() noexcept {
  if (state_ == State::Closed) return;
  progress_at_ = context_.loop.now();
  turn_end_.schedule();
}

void ClientConnection::close(CloseReason reason) noexcept {
  if (state_ == State::Closed) return;
  const bool drops_request = is_paused_for(PauseReason::Queue);
  end(reason);
  state_ = State::Closed;
  stream_->stop_reading();
  turn_end_.cancel();
  context_.input.set_complete(parked_bytes_, 0);
  context_.deadlines.forget(*this);
  log::debug(about(), "closed: {}", to_string(reason));
  if (drops_request) {
    ++context_.counters.dropped;
    context_.client_log.dropped_request(about(), to_string(reason));
  }
  context_.closed(*this, reason);
}

/// Also while input is skipped: a stray byte must not swallow what follows without end.
TimePoint ClientConnection::request_deadline() const noexcept {
  const bool has_begun = reader_.inside_request() || reader_.is_skipping();
  const bool runs = state_ == State::Open && pauses_ == 0 && has_begun;
  return runs ? request_begun_ + context_.limits.request_timeout : TimePoint::max();
}

TimePoint ClientConnection::idle_deadline() const noexcept {
  const bool is_idle = state_ == State::Open && pauses_ == 0 && outstanding_ == 0 &&
                       !reader_.inside_request() && !reader_.is_skipping() &&
                       stream_->unsent() == 0;
  if (!is_idle || context_.idle_timeout <= Duration(0)) return TimePoint::max();
  return active_at_ + context_.idle_timeout;
}

TimePoint ClientConnection::next_deadline() const noexcept {
  if (state_ == State::Lingering) return linger_until_;
  TimePoint next = std::min({request_deadline(), idle_deadline(), peer_look_at_});
  if (stream_->unsent() > 0) next = std::min(next, progress_at_ + context_.limits.write_timeout);
  return next;
}

void ClientConnection::watch_deadlines() noexcept {
  if (!is_unwatched()) {
    peer_look_at_ = TimePoint::max();
  } else if (peer_look_at_ == TimePoint::max()) {
    peer_look_at_ = context_.loop.now() + kPeerLook;
  }
  const TimePoint next = next_deadline();
  if (next != TimePoint::max()) context_.deadlines.watch(*this, next);
}

/// False: no progress for write_timeout_ms. on_sent() reports whole writes only; a slow one shows
/// in the bytes left unsent.
bool ClientConnection::check_write_progress(TimePoint now) noexcept {
  const std::size_t unsent = stream_->unsent();
  const std::uint64_t sent = written_ - unsent;
  if (unsent == 0 || std::exchange(sent_seen_, sent) != sent) progress_at_ = now;
  return now < progress_at_ + context_.limits.write_timeout;
}

void ClientConnection::check_deadlines(TimePoint now) noexcept {
  if (state_ == State::Lingering && now >= linger_until_) {
    close(end_reason_);
    return;
  }
  if (now >= peer_look_at_) look_at_peer(now);
  if (state_ == State::Closed) return;
  if (!check_write_progress(now)) {
    close(CloseReason::WriteTimeout);
    return;
  }
  if (now >= request_deadline()) {
    fail(protocol::ErrorKind::BadRequest,
         fmt::format("{} took longer than request_timeout_ms ({})",
                     reader_.is_skipping() ? "what is skipped" : "the request",
                     context_.limits.request_timeout.count()),
         CloseReason::RequestTimeout);
  } else if (now >= idle_deadline()) {
    end(CloseReason::Idle);
  }
  watch_deadlines();
}

}  // namespace sluice::client
