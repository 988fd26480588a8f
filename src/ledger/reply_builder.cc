#include "ledger/reply_builder.h"

#include <fmt/format.h>

#include <algorithm>

#include "ledger/ledger.h"
#include "mqtt/reason_codes.h"

namespace sluice::ledger {
namespace {

using protocol::ErrorKind;
using protocol::Published;
using protocol::Reply;

Reply single_reply(const CopyResult& result) {
  if (result.ok) {
    Reply reply = Reply::success();
    reply.no_subscribers = result.reason_code == mqtt::reason::kNoMatchingSubscribers;
    return reply;
  }
  Reply reply = Reply::failure(result.error, result.published, result.detail);
  if (result.error == ErrorKind::Rejected && result.reason_code != 0) {
    reply.reason_code = result.reason_code;
  }
  return reply;
}

/// All failed alike: that error. Else `timeout` where anything is unknown, else `partial`.
ErrorKind common_error(std::span<Copy> copies) {
  const auto fails_like_first = [&](const Copy& copy) {
    return !copy.result.ok && copy.result.error == copies.front().result.error;
  };
  if (std::all_of(copies.begin(), copies.end(), fails_like_first))
    return copies.front().result.error;
  const auto is_unknown = [](const Copy& copy) {
    return !copy.result.ok && copy.result.published == Published::Unknown;
  };
  const bool any_unknown = std::any_of(copies.begin(), copies.end(), is_unknown);
  return any_unknown ? ErrorKind::Timeout : ErrorKind::Partial;
}

Published common_published(std::span<Copy> copies, ErrorKind error) {
  if (error == ErrorKind::Timeout) return Published::Unknown;
  if (std::any_of(copies.begin(), copies.end(), [](const Copy& copy) { return copy.result.ok; })) {
    return Published::Some;
  }
  const auto is_unknown = [](const Copy& copy) {
    return copy.result.published == Published::Unknown;
  };
  return std::any_of(copies.begin(), copies.end(), is_unknown) ? Published::Unknown : Published::No;
}

Reply fan_out_reply(std::span<Copy> copies) {
  if (std::all_of(copies.begin(), copies.end(), [](const Copy& copy) { return copy.result.ok; })) {
    Reply reply = Reply::success();
    reply.no_subscribers = std::all_of(copies.begin(), copies.end(), [](const Copy& copy) {
      return copy.result.reason_code == mqtt::reason::kNoMatchingSubscribers;
    });
    return reply;
  }
  const ErrorKind error = common_error(copies);
  Reply reply = Reply::failure(error, common_published(copies, error), {});
  for (const Copy& copy : copies) {
    const CopyResult& result = copy.result;
    reply.brokers.emplace_back(copy.lane->pool->name(),
                               result.ok ? "ok" : std::string(to_string(result.error)));
    if (result.ok) continue;
    if (!reply.detail.empty()) reply.detail += "; ";
    reply.detail += result.detail;
    if (error == ErrorKind::Rejected && result.reason_code != 0 && !reply.reason_code) {
      reply.reason_code = result.reason_code;
    }
  }
  return reply;
}

}  // namespace

CopyResult result_of(const Copy& copy, const mqtt::Outcome& outcome) {
  CopyResult result;
  result.settled = true;
  result.reason_code = outcome.reason_code;
  result.ok = outcome.kind == mqtt::Outcome::Kind::Acknowledged;
  if (result.ok) return result;
  result.error = ErrorKind::Rejected;
  result.published = outcome.may_be_published ? Published::Unknown : Published::No;
  result.detail = fmt::format("broker {}: {}", copy.lane->pool->name(),
                              outcome.detail.empty() ? "refused the message" : outcome.detail);
  return result;
}

CopyResult result_at_deadline(const Copy& copy) {
  CopyResult result;
  result.settled = true;
  const std::string& name = copy.lane->pool->name();
  if (copy.handed_over) {
    result.error = ErrorKind::Timeout;
    result.published = Published::Unknown;
    result.detail = fmt::format("broker {}: not acknowledged in time; it may still arrive", name);
  } else {
    result.error = ErrorKind::BrokerUnavailable;
    result.detail = fmt::format("broker {}: no connection took it in time", name);
  }
  return result;
}

Reply reply_of(Entry& entry) {
  const std::span<Copy> copies = entry.used();
  return copies.size() == 1 ? single_reply(copies.front().result) : fan_out_reply(copies);
}

}  // namespace sluice::ledger
