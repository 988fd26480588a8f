// Reads, splits packets, writes, and closes in one of two ways.
#include "broker_session.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "faulty_broker.h"
#include "net.h"

namespace sluice::ledger_run {
namespace {

constexpr Nanoseconds kLinger = 300 * kMillisecond;

}  // namespace

BrokerSession::BrokerSession(FaultyBroker& broker, Poller& poller, int fd,
                             const wire::TlsServer* tls)
    : broker_(broker), poller_(poller), fd_(fd) {
  if (tls != nullptr) tls_ = std::make_unique<wire::TlsServerEnd>(*tls);
  watch_what_is_needed();
}

BrokerSession::~BrokerSession() {
  if (fd_ >= 0) ::close(fd_);
}

void BrokerSession::on_events(std::uint32_t events) {
  if (fd_ < 0 || is_frozen_) return;
  if ((events & EPOLLOUT) != 0) flush();
  if (fd_ >= 0 && (events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0) read();
}

void BrokerSession::read() {
  std::array<char, 65536> buffer;
  const std::size_t allowed =
      state_ == State::Ended ? buffer.size() : std::min(buffer.size(), broker_.bytes_allowed());
  if (allowed == 0) {
    is_throttled_ = true;
    watch_what_is_needed();
    return;
  }
  const ssize_t got = ::recv(fd_, buffer.data(), allowed, 0);
  if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
    close();
    return;
  }
  if (got < 0 || state_ == State::Ended) return;
  broker_.spend(static_cast<std::size_t>(got));
  take({buffer.data(), static_cast<std::size_t>(got)});
  if (fd_ >= 0) flush();
}

void BrokerSession::take(std::string_view bytes) {
  if (tls_ == nullptr) {
    input_ += bytes;
  } else {
    tls_->feed(bytes, input_);
  }
  take_packets();
  if (tls_ != nullptr && tls_->has_failed() && is_open()) broker_.on_malformed(*this);
}

void BrokerSession::take_packets() {
  std::size_t begin = 0;
  wire::Packet packet;
  std::size_t used = 0;
  while (is_open()) {
    const wire::Cut cut = wire::cut_packet(std::string_view(input_).substr(begin), packet, used);
    if (cut == wire::Cut::Partial) break;
    if (cut == wire::Cut::Malformed) {
      broker_.on_malformed(*this);
      break;
    }
    broker_.on_packet(*this, packet);
    begin += used;
  }
  input_.erase(0, begin);
}

void BrokerSession::send(std::string&& bytes, Nanoseconds delay, Nanoseconds now) {
  put(std::move(bytes), 0, delay, now);
}

void BrokerSession::send_last(std::string&& bytes, Nanoseconds delay, Nanoseconds now) {
  put(std::move(bytes), 1, delay, now);
}

void BrokerSession::put(std::string&& bytes, std::size_t ends, Nanoseconds delay, Nanoseconds now) {
  if (delay > 0 || !later_.empty()) {
    later_.push_back({now + delay, std::move(bytes), ends});
  } else {
    output_ += bytes;  // written after all input is handled
    ends_in_output_ += ends;
  }
}

void BrokerSession::send_due(Nanoseconds now) {
  if (fd_ < 0 || state_ == State::Ended || is_frozen_) return;
  while (!later_.empty() && later_.front().due <= now) {
    output_ += later_.front().bytes;
    ends_in_output_ += later_.front().ends;
    later_.pop_front();
  }
  if (!output_.empty()) flush();
}

void BrokerSession::flush() {
  in_flight -= std::min(in_flight, ends_in_output_);
  ends_in_output_ = 0;
  encrypt();
  while (written_ < sending_.size()) {
    const ssize_t done =
        ::send(fd_, sending_.data() + written_, sending_.size() - written_, MSG_NOSIGNAL);
    if (done >= 0) {
      written_ += static_cast<std::size_t>(done);
    } else if (errno == EAGAIN) {
      watch_what_is_needed();
      return;
    } else if (errno != EINTR) {
      close();
      return;
    }
  }
  sending_.clear();
  written_ = 0;
  watch_what_is_needed();
}

/// Includes TLS's own records.
void BrokerSession::encrypt() {
  if (tls_ == nullptr) {
    sending_ += output_;
  } else {
    tls_->say(output_);
    sending_ += tls_->take(SIZE_MAX);
  }
  output_.clear();
}

void BrokerSession::watch_what_is_needed() {
  if (fd_ < 0) return;
  std::uint32_t needed = is_throttled_ ? 0U : static_cast<std::uint32_t>(EPOLLIN);
  if (!sending_.empty()) needed |= EPOLLOUT;
  // Without EPOLLIN it is not watched at all: an error would be reported again and again.
  const bool watch = !is_frozen_ && needed != 0;
  if (!watch) {
    if (is_watched_) poller_.forget(fd_);
  } else if (!is_watched_) {
    poller_.watch(fd_, *this, needed);
  } else if (needed != watched_) {
    poller_.change(fd_, *this, needed);
  }
  is_watched_ = watch;
  watched_ = needed;
}

void BrokerSession::freeze() {
  is_frozen_ = true;
  watch_what_is_needed();
}

void BrokerSession::thaw() {
  is_frozen_ = false;
  watch_what_is_needed();
}

void BrokerSession::read_on() {
  if (!is_throttled_) return;
  is_throttled_ = false;
  watch_what_is_needed();
}

void BrokerSession::close() {
  if (fd_ < 0) return;
  ::close(fd_);  // removes it from the loop, too
  fd_ = -1;
  state_ = State::Closed;
  broker_.on_closed(*this);
}

void BrokerSession::reset() {
  if (fd_ < 0) return;
  close_with_reset(fd_);
  fd_ = -1;
  state_ = State::Closed;
  broker_.on_closed(*this);
}

void BrokerSession::close_gracefully(Nanoseconds now) {
  if (!is_open()) return;
  state_ = State::Ended;
  ended_at_ = now;
  is_frozen_ = false;
  is_throttled_ = false;
  later_.clear();
  flush();
  if (tls_ != nullptr && fd_ >= 0) {
    tls_->close_notify();
    flush();
  }
  if (fd_ >= 0) ::shutdown(fd_, SHUT_WR);
}

void BrokerSession::close_if_overdue(Nanoseconds now) {
  if (state_ == State::Ended && now - ended_at_ > kLinger) close();
}

bool BrokerSession::peer_holds_it() const {
  return fd_ >= 0 && is_open() && !is_frozen_ && is_established(fd_);
}

void BrokerSession::become_live(bool is_v5, std::string client_id, const PublishSource& source,
                                std::size_t receive_maximum) {
  state_ = State::Live;
  is_v5_ = is_v5;
  client_id_ = std::move(client_id);
  source_ = source;
  receive_maximum_ = receive_maximum;
}

}  // namespace sluice::ledger_run
