// What the caller asks for: connect, submit, publish, collect. The bytes move in connection_io.cc.
#include "sdk/connection.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "sdk/request.h"
#include "sdk/socket.h"

namespace sluice::sdk {

namespace {

using std::chrono::milliseconds;

/// Tells "7" and 7 apart.
std::string key_of(const RequestId& id) {
  if (const auto* number = std::get_if<std::int64_t>(&id)) return "#" + std::to_string(*number);
  return "\"" + std::get<std::string>(id);
}

}  // namespace

Connection::Connection(ClientOptions options) : options_(std::move(options)) {}

Connection::~Connection() {
  if (fd_ >= 0) ::close(fd_);
}

bool Connection::connect(std::string_view address) {
  close();
  const ServerAddress server = parse_address(address);
  const Connected connected = connect_to(server, options_.connect_timeout);
  if (connected.fd < 0) {
    error_ = server.fault.empty() ? server.text() : std::string(address);
    error_ += ": " + connected.fault;
    return false;
  }
  fd_ = connected.fd;
  error_.clear();
  write_failed_ = false;
  token_accepted_ = false;
  replies_seen_ = 0;
  overloaded_.reset();
  scanner_ = {};
  submitted_bytes_ = 0;
  written_bytes_ = 0;
  return true;
}

void Connection::close() {
  lose("connection_lost", "closed by the caller");
}

bool Connection::wants_write() const noexcept {
  return fd_ >= 0 && !write_failed_ && output_at_ < output_.size();
}

bool Connection::is_output_full() const noexcept {
  const std::size_t unsent = output_.size() - output_at_;
  return unsent > 0 && unsent >= options_.window_bytes;
}

bool Connection::can_submit() const noexcept {
  if (!options_.own_ids && !pending_.empty()) return false;
  if (outstanding() >= std::max<std::size_t>(options_.window, 1)) return false;
  return !is_output_full();
}

std::optional<RequestId> Connection::choose_id(const Message& message) {
  if (message.id || !options_.own_ids) return message.id;
  do {
    ++last_id_;
  } while (tickets_by_key_.contains(key_of(last_id_)));
  return last_id_;
}

void Connection::fail_now(Ticket ticket, const std::optional<RequestId>& id, Outcome outcome,
                          std::string error, std::string detail) {
  PublishResult result;
  result.ticket = ticket;
  result.id = id;
  result.outcome = outcome;
  result.error = std::move(error);
  result.detail = std::move(detail);
  ready_.push_back(std::move(result));
}

Ticket Connection::accept(const Message& message) {
  const Ticket ticket = ++last_ticket_;
  std::optional<RequestId> id = choose_id(message);
  if (fd_ < 0) {
    fail_now(ticket, id, Outcome::NotPublished, "not_connected", error_);
    return ticket;
  }
  std::string key = id ? key_of(*id) : std::string();
  if (id && tickets_by_key_.contains(key)) {
    fail_now(ticket, id, Outcome::Refused, "bad_request", "a message in flight has this id");
    return ticket;
  }
  // Sent again until a success proves that the server took it: the first may be refused otherwise.
  EncodedRequest request = encode_request(message, id, token_accepted_ ? "" : options_.token);
  if (!request.fault.empty()) {
    fail_now(ticket, id, Outcome::Refused, "bad_request", std::move(request.fault));
    return ticket;
  }
  if (pending_.empty()) last_progress_ = Clock::now();
  const std::uint64_t begin = submitted_bytes_;
  const std::uint64_t end = begin + request.bytes.size();
  output_ += request.bytes;
  output_ += '\n';
  submitted_bytes_ = end + 1;
  if (id) tickets_by_key_.emplace(key, ticket);
  pending_.emplace(ticket, Pending{begin, end, std::move(key), std::move(id)});
  write_some();
  return ticket;
}

std::optional<Ticket> Connection::submit(const Message& message) {
  if (!can_submit()) return {};
  return accept(message);
}

PublishResult Connection::publish(const Message& message) {
  if (!options_.own_ids) {
    while (!pending_.empty())
      pump(wait_limit(false, {}));
  }
  const Ticket ticket = accept(message);
  while (pending_.contains(ticket))
    pump(wait_limit(false, {}));
  const auto found = std::find_if(ready_.begin(), ready_.end(),
                                  [ticket](const auto& one) { return one.ticket == ticket; });
  PublishResult result = std::move(*found);  // what is settled is always in ready_
  ready_.erase(found);
  return result;
}

std::optional<PublishResult> Connection::next_result(milliseconds timeout) {
  const bool is_limited = timeout >= milliseconds{0};
  const auto deadline = Clock::now() + std::min(timeout, milliseconds{1LL << 40U});
  if (ready_.empty()) pump(milliseconds{0});
  // A request may be answered before it is written (too_large): submit() still waits for its bytes.
  while (ready_.empty() && (!pending_.empty() || (wants_write() && is_output_full()))) {
    if (is_limited && Clock::now() >= deadline) break;
    pump(wait_limit(is_limited, deadline));
  }
  if (ready_.empty()) return {};
  PublishResult result = std::move(ready_.front());
  ready_.pop_front();
  return result;
}

bool Connection::is_quiet_for_too_long() const {
  if (options_.reply_timeout <= milliseconds{0}) return false;
  if (pending_.empty() && !wants_write()) return false;
  return Clock::now() - last_progress_ >= options_.reply_timeout;
}

milliseconds Connection::wait_limit(bool is_limited, Clock::time_point deadline) const {
  std::optional<Clock::time_point> until;
  if (is_limited) until = deadline;
  if (options_.reply_timeout > milliseconds{0}) {
    const auto quiet = last_progress_ + std::min(options_.reply_timeout, milliseconds{1LL << 40U});
    until = until ? std::min(*until, quiet) : quiet;
  }
  if (!until) return milliseconds{-1};
  const auto left = std::chrono::ceil<milliseconds>(*until - Clock::now());
  return std::max(left, milliseconds{0});
}

}  // namespace sluice::sdk
