// The bytes of a connection: reading and writing in turn so that neither side can block the other,
// matching replies, and what becomes of requests when a connection ends.
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include "sdk/connection.h"
#include "sdk/socket.h"

namespace sluice::sdk {

namespace {

constexpr std::size_t kReadBytes = std::size_t{64} * 1024;
constexpr int kReadsPerTurn = 16;  // before it writes
constexpr std::size_t kCompactBytes = std::size_t{256} * 1024;

bool would_block(int error) {
  return error == EAGAIN || error == EWOULDBLOCK;
}

std::string words(int error) {
  return std::generic_category().message(error);
}

}  // namespace

void Connection::pump(std::chrono::milliseconds timeout) {
  if (fd_ < 0) return;
  const int events = POLLIN | (wants_write() ? POLLOUT : 0);
  const int ready = poll_one(fd_, static_cast<short>(events), timeout);
  // Replies first: they make room at the server, and a peer that resets us may have left some.
  if ((ready & (POLLIN | POLLHUP | POLLERR)) != 0) read_some();
  if ((ready & POLLOUT) != 0) write_some();
  if (is_quiet_for_too_long()) lose("no_reply", "the server has said nothing for too long");
}

void Connection::read_some() {
  std::array<char, kReadBytes> buffer;  // NOLINT: filled by recv
  for (int turn = 0; turn < kReadsPerTurn && fd_ >= 0; ++turn) {
    const ssize_t got = ::recv(fd_, buffer.data(), buffer.size(), 0);
    if (got > 0) {
      scanner_.append({buffer.data(), static_cast<std::size_t>(got)});
      take_replies();
      continue;
    }
    if (got == 0) return lose("connection_lost", "closed by the server");
    if (errno == EINTR) continue;
    if (would_block(errno)) return;
    return lose("connection_lost", words(errno));
  }
}

void Connection::write_some() {
  while (wants_write()) {
    const ssize_t sent = ::send(fd_, output_.data() + output_at_, output_.size() - output_at_,
                                MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) {
      output_at_ += static_cast<std::size_t>(sent);
      written_bytes_ += static_cast<std::uint64_t>(sent);
      last_progress_ = Clock::now();
      continue;
    }
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && would_block(errno)) break;
    // The server may have said why before it closed; reading finds the end.
    write_failed_ = true;
  }
  if (output_at_ == output_.size()) {
    output_.clear();
    output_at_ = 0;
  } else if (output_at_ >= kCompactBytes && output_at_ >= output_.size() / 2) {
    output_.erase(0, output_at_);
    output_at_ = 0;
  }
}

void Connection::take_replies() {
  std::string text;
  while (fd_ >= 0) {
    switch (scanner_.next(text)) {
      case ReplyScanner::Next::NeedMore:
        return;
      case ReplyScanner::Next::Garbage:
        return lose("connection_lost", "the server sent something that is no reply");
      case ReplyScanner::Next::Reply:
        take_reply(std::move(text));
        text.clear();
    }
  }
}

void Connection::take_reply(std::string text) {
  const std::optional<ServerReply> reply = parse_reply(text);
  if (!reply) return lose("connection_lost", "the server sent something that is no reply");
  ++replies_seen_;
  if (!reply->id) {
    if (reply->error == "overloaded") {
      overloaded_ = reply;
      overloaded_text_ = text;
    }
    const auto owner = owner_without_id(*reply);
    if (owner != pending_.end()) settle(owner, *reply, std::move(text));
    return;
  }
  std::string key = "\"";
  if (const auto* number = std::get_if<std::int64_t>(&*reply->id)) {
    key = "#" + std::to_string(*number);
  } else {
    key += std::get<std::string>(*reply->id);
  }
  const auto found = tickets_by_key_.find(key);
  if (found == tickets_by_key_.end()) return;  // not a request in flight
  settle(pending_.find(found->second), *reply, std::move(text));
}

Connection::PendingMap::iterator Connection::owner_without_id(const ServerReply& reply) {
  auto largest = pending_.end();
  std::size_t begun = 0;
  for (auto one = pending_.begin(); one != pending_.end(); ++one) {
    if (one->second.begin >= written_bytes_) break;  // this and all later ones are not sent yet
    ++begun;
    const auto size = [](const Pending& pending) { return pending.end - pending.begin; };
    if (largest == pending_.end() || size(one->second) > size(largest->second)) largest = one;
  }
  if (begun == 1) return largest;
  // Sent before the server has read the id. If any of these is too large, so is the largest.
  if (reply.error == "too_large") return largest;
  return pending_.end();
}

void Connection::settle(PendingMap::iterator which, const ServerReply& reply, std::string text) {
  last_progress_ = Clock::now();  // replies to nothing that was sent are none
  PublishResult result = result_of(reply);
  result.ticket = which->first;
  result.id = std::move(which->second.id);
  result.reply = std::move(text);
  if (reply.code == 1) token_accepted_ = true;
  tickets_by_key_.erase(which->second.key);
  pending_.erase(which);
  ready_.push_back(std::move(result));
}

PublishResult Connection::lost_result(const Pending& pending, std::string_view word,
                                      const std::string& why) const {
  // A server that sends only `overloaded` and closes has read no request whole, since it would have
  // answered that one: nothing of this connection was published.
  if (overloaded_ && replies_seen_ == 1) {
    PublishResult result = result_of(*overloaded_);
    result.reply = overloaded_text_;
    return result;
  }
  PublishResult result;
  const bool may_have_been_read = pending.end <= written_bytes_;
  result.outcome = may_have_been_read ? Outcome::Unknown : Outcome::NotPublished;
  result.error = word;
  result.detail = why;
  return result;
}

void Connection::lose(std::string_view word, const std::string& why) {
  if (fd_ < 0) return;
  ::close(fd_);
  fd_ = -1;
  error_ = overloaded_ ? "the server is overloaded: " + overloaded_->detail : why;
  for (auto& [ticket, pending] : pending_) {
    PublishResult result = lost_result(pending, word, why);
    result.ticket = ticket;
    result.id = std::move(pending.id);
    ready_.push_back(std::move(result));
  }
  pending_.clear();
  tickets_by_key_.clear();
  output_.clear();
  output_at_ = 0;
}

}  // namespace sluice::sdk
