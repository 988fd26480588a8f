#include "ledger/reply_builder.h"

#include <fmt/format.h>

#include <algorithm>

#include "ledger/ledger.h"
#include "mqtt/reason_codes.h"

namespace sluice::ledger {
namespace {

using mqtt::Outcome;
using protocol::ErrorKind;
using protocol::Published;
using protocol::Reply;

Published published_of(const Part& part) noexcept {
  return part.outcome.may_be_published ? Published::Unknown : Published::No;
}

std::string_view what_happened(const Part& part) noexcept {
  if (!part.outcome.detail.empty()) return part.outcome.detail;
  if (part.outcome.kind == Outcome::Kind::Rejected) return "refused the message";
  return part.outcome.may_be_published ? "not acknowledged in time; it may still arrive"
                                       : "no connection took it in time";
}

std::string detail_of(const Part& part) {
  return fmt::format("broker {}: {}", part.lane->pool->name(), what_happened(part));
}

bool has_no_subscribers(const Part& part) noexcept {
  return part.outcome.reason_code == mqtt::reason::kNoMatchingSubscribers;
}

/// All failed alike: that error. Else `timeout` where anything is unknown, else `partial`.
ErrorKind common_error(std::span<Part> parts) {
  const auto fails_like_first = [&](const Part& part) {
    return !is_ok(part) && error_of(part) == error_of(parts.front());
  };
  if (std::all_of(parts.begin(), parts.end(), fails_like_first)) return error_of(parts.front());
  const auto is_unknown = [](const Part& part) {
    return !is_ok(part) && published_of(part) == Published::Unknown;
  };
  const bool any_unknown = std::any_of(parts.begin(), parts.end(), is_unknown);
  return any_unknown ? ErrorKind::Timeout : ErrorKind::Partial;
}

Published common_published(std::span<Part> parts, ErrorKind error) {
  if (error == ErrorKind::Timeout) return Published::Unknown;
  if (std::any_of(parts.begin(), parts.end(), is_ok)) return Published::Some;
  const auto is_unknown = [](const Part& part) { return published_of(part) == Published::Unknown; };
  return std::any_of(parts.begin(), parts.end(), is_unknown) ? Published::Unknown : Published::No;
}

Reply fan_out_reply(std::span<Part> parts) {
  if (std::all_of(parts.begin(), parts.end(), is_ok)) {
    Reply reply = Reply::success();
    reply.no_subscribers = std::all_of(parts.begin(), parts.end(), has_no_subscribers);
    return reply;
  }
  const ErrorKind error = common_error(parts);
  Reply reply = Reply::failure(error, common_published(parts, error), {});
  for (const Part& part : parts) {
    reply.brokers.emplace_back(part.lane->pool->name(),
                               is_ok(part) ? "ok" : std::string(to_string(error_of(part))));
    if (is_ok(part)) continue;
    if (!reply.detail.empty()) reply.detail += "; ";
    reply.detail += detail_of(part);
    if (error == ErrorKind::Rejected && part.outcome.reason_code != 0 && !reply.reason_code) {
      reply.reason_code = part.outcome.reason_code;
    }
  }
  return reply;
}

}  // namespace

bool is_ok(const Part& part) noexcept {
  return part.outcome.kind == Outcome::Kind::Acknowledged;
}

ErrorKind error_of(const Part& part) noexcept {
  if (part.outcome.kind == Outcome::Kind::Rejected) return ErrorKind::Rejected;
  return part.outcome.may_be_published ? ErrorKind::Timeout : ErrorKind::BrokerUnavailable;
}

Reply reply_of(const Part& part) {
  if (is_ok(part)) {
    Reply reply = Reply::success();
    reply.no_subscribers = has_no_subscribers(part);
    return reply;
  }
  Reply reply = Reply::failure(error_of(part), published_of(part), detail_of(part));
  if (part.outcome.reason_code != 0) reply.reason_code = part.outcome.reason_code;
  return reply;
}

Reply reply_of(PendingRequest& pending) {
  const std::span<Part> parts = pending.used();
  return parts.size() == 1 ? reply_of(parts.front()) : fan_out_reply(parts);
}

}  // namespace sluice::ledger
