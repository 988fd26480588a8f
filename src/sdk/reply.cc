// The reply stream's scanner, the strict reply reader and the meaning of replies.
#include "sdk/reply.h"

#include <algorithm>
#include <array>
#include <chrono>

#include "sdk/json.h"

namespace sluice::sdk {

void ReplyScanner::append(std::string_view bytes) {
  if (begin_ > 0) {
    input_.erase(0, begin_);
    at_ -= begin_;
    begin_ = 0;
  }
  input_ += bytes;
}

bool ReplyScanner::step(char c) noexcept {
  if (in_string_) {
    if (escaped_) {
      escaped_ = false;
    } else if (c == '\\') {
      escaped_ = true;
    } else if (c == '"') {
      in_string_ = false;
    }
    return false;
  }
  if (c == '"') in_string_ = true;
  if (c == '{') ++depth_;
  if (c == '}') --depth_;  // never below zero: the first character was a brace
  return depth_ == 0;
}

ReplyScanner::Next ReplyScanner::next(std::string& reply) {
  while (depth_ == 0 && at_ < input_.size() && input_[at_] != '{') {
    const unsigned byte = static_cast<unsigned char>(input_[at_]);
    if (byte > 0x20) return Next::Garbage;
    begin_ = ++at_;
  }
  while (at_ < input_.size()) {
    if (!step(input_[at_++])) continue;
    reply.assign(input_, begin_, at_ - begin_);
    begin_ = at_;
    return Next::Reply;
  }
  return at_ - begin_ > kMaxReplyBytes ? Next::Garbage : Next::NeedMore;
}

namespace {

/// The known members, in the order of their bits.
constexpr std::array<std::string_view, 9> kMembers = {
    "code",        "error",       "published",      "detail", "id",
    "subscribers", "reason_code", "retry_after_ms", "brokers"};

bool read_optional(JsonCursor& reader, std::optional<std::int64_t>& out) {
  std::int64_t number = 0;
  if (!reader.read_integer(number)) return false;
  out = number;
  return true;
}

bool read_id(JsonCursor& reader, std::optional<RequestId>& out) {
  if (reader.peek() != '"') {
    std::int64_t number = 0;
    if (!reader.read_integer(number)) return false;
    out = number;
    return true;
  }
  std::string text;
  if (!reader.read_string(text)) return false;
  out = std::move(text);
  return true;
}

bool read_brokers(JsonCursor& reader, std::vector<std::pair<std::string, std::string>>& out) {
  if (!reader.take('{')) return false;
  if (reader.take('}')) return true;
  do {
    std::string name;
    std::string outcome;
    if (!reader.read_string(name) || !reader.take(':') || !reader.read_string(outcome)) {
      return false;
    }
    out.emplace_back(std::move(name), std::move(outcome));
  } while (reader.take(','));
  return reader.take('}');
}

bool read_member(JsonCursor& reader, std::size_t which, ServerReply& reply) {
  switch (which) {
    case 0:
      return reader.read_integer(reply.code) && (reply.code == 1 || reply.code == 2);
    case 1:
      return reader.read_string(reply.error);
    case 2:
      return reader.read_string(reply.published);
    case 3:
      return reader.read_string(reply.detail);
    case 4:
      return read_id(reader, reply.id);
    case 5:
      return read_optional(reader, reply.subscribers);
    case 6:
      return read_optional(reader, reply.reason_code);
    case 7:
      return read_optional(reader, reply.retry_after_ms);
    case 8:
      return read_brokers(reader, reply.brokers);
    default:
      return reader.skip_value();
  }
}

}  // namespace

std::optional<ServerReply> parse_reply(std::string_view text) {
  ServerReply reply;
  JsonCursor reader(text);
  unsigned seen = 0;
  std::string name;
  if (!reader.take('{')) return {};
  do {
    if (!reader.read_string(name) || !reader.take(':')) return {};
    const auto* const known = std::find(kMembers.begin(), kMembers.end(), name);
    const auto which = static_cast<std::size_t>(known - kMembers.begin());
    const unsigned bit = which < kMembers.size() ? 1U << which : 0U;
    if ((seen & bit) != 0) return {};
    seen |= bit;
    if (!read_member(reader, which, reply)) return {};
  } while (reader.take(','));
  if (!reader.take('}') || !reader.is_at_end() || reply.code == 0) return {};
  return reply;
}

PublishResult result_of(const ServerReply& reply) {
  PublishResult result;
  if (reply.code == 1) {
    result.outcome = Outcome::Published;
    result.no_subscribers = reply.subscribers == 0;
    return result;
  }
  result.error = reply.error;
  result.detail = reply.detail;
  result.brokers = reply.brokers;
  if (reply.reason_code && *reply.reason_code >= 0 && *reply.reason_code <= 255) {
    result.reason_code = static_cast<int>(*reply.reason_code);
  }
  if (reply.retry_after_ms && *reply.retry_after_ms >= 0) {
    result.retry_after = std::chrono::milliseconds{*reply.retry_after_ms};
  }
  constexpr std::array<std::string_view, 6> kLasting = {"bad_request", "too_large", "unauthorized",
                                                        "forbidden",   "no_route",  "rejected"};
  const bool is_lasting =
      std::find(kLasting.begin(), kLasting.end(), reply.error) != kLasting.end();
  if (reply.published == "some") {
    result.outcome = Outcome::Partial;
  } else if (reply.published != "no") {
    result.outcome = Outcome::Unknown;  // also where the reply has no `published`
  } else if (is_lasting && !result.retry_after) {
    result.outcome = Outcome::Refused;
  } else {
    result.outcome = Outcome::NotPublished;
  }
  return result;
}

}  // namespace sluice::sdk
