#include "ledger/reply_builder.h"

#include <fmt/format.h>

#include <algorithm>

#include "ledger/ledger.h"
#include "mqtt/reason_codes.h"

namespace sluice::ledger {
namespace {

using mqtt::DeliveryOutcome;
using protocol::ErrorKind;
using protocol::Published;
using protocol::Reply;

Published published_of(const BrokerDelivery& delivery) noexcept {
  return delivery.outcome.may_be_published ? Published::Unknown : Published::No;
}

std::string_view what_happened(const BrokerDelivery& delivery) noexcept {
  if (!delivery.outcome.detail.empty()) return delivery.outcome.detail;
  if (delivery.outcome.kind == DeliveryOutcome::Kind::Rejected) return "message rejected";
  return delivery.outcome.may_be_published ? "not acknowledged in time; it may still arrive"
                                           : "no connection available before the deadline";
}

/// It was handed to no connection, and the broker has none.
bool is_for_outage(const BrokerDelivery& delivery) noexcept {
  return delivery.outcome.kind == DeliveryOutcome::Kind::GivenUp &&
         !delivery.outcome.may_be_published && delivery.lane->pool->ready_links() == 0;
}

std::string detail_of(const BrokerDelivery& delivery) {
  const mqtt::Pool& pool = *delivery.lane->pool;
  if (is_for_outage(delivery)) return pool.describe_outage();
  return fmt::format("broker {}: {}", pool.name(), what_happened(delivery));
}

bool has_no_subscribers(const BrokerDelivery& delivery) noexcept {
  return delivery.outcome.reason_code == mqtt::reason::kNoMatchingSubscribers;
}

/// The common error if all failed alike; else `timeout` if anything is unknown, else `partial`.
ErrorKind common_error(std::span<BrokerDelivery> deliveries) {
  const auto fails_like_first = [&](const BrokerDelivery& delivery) {
    return !is_ok(delivery) && error_of(delivery) == error_of(deliveries.front());
  };
  if (std::all_of(deliveries.begin(), deliveries.end(), fails_like_first))
    return error_of(deliveries.front());
  const auto is_unknown = [](const BrokerDelivery& delivery) {
    return !is_ok(delivery) && published_of(delivery) == Published::Unknown;
  };
  const bool any_unknown = std::any_of(deliveries.begin(), deliveries.end(), is_unknown);
  return any_unknown ? ErrorKind::Timeout : ErrorKind::Partial;
}

Published common_published(std::span<BrokerDelivery> deliveries, ErrorKind error) {
  if (error == ErrorKind::Timeout) return Published::Unknown;
  if (std::any_of(deliveries.begin(), deliveries.end(), is_ok)) return Published::Some;
  const auto is_unknown = [](const BrokerDelivery& delivery) {
    return published_of(delivery) == Published::Unknown;
  };
  return std::any_of(deliveries.begin(), deliveries.end(), is_unknown) ? Published::Unknown
                                                                       : Published::No;
}

Reply fan_out_reply(std::span<BrokerDelivery> deliveries) {
  if (std::all_of(deliveries.begin(), deliveries.end(), is_ok)) {
    Reply reply = Reply::success();
    reply.no_subscribers = std::all_of(deliveries.begin(), deliveries.end(), has_no_subscribers);
    return reply;
  }
  const ErrorKind error = common_error(deliveries);
  Reply reply = Reply::failure(error, common_published(deliveries, error), {});
  for (const BrokerDelivery& delivery : deliveries) {
    reply.brokers.emplace_back(delivery.lane->pool->name(),
                               is_ok(delivery) ? "ok" : std::string(to_string(error_of(delivery))));
    if (is_ok(delivery)) continue;
    if (!reply.detail.empty()) reply.detail += "; ";
    reply.detail += detail_of(delivery);
    if (error == ErrorKind::Rejected && delivery.outcome.reason_code != 0 && !reply.reason_code) {
      reply.reason_code = delivery.outcome.reason_code;
    }
  }
  return reply;
}

}  // namespace

bool is_ok(const BrokerDelivery& delivery) noexcept {
  return delivery.outcome.kind == DeliveryOutcome::Kind::Acknowledged;
}

ErrorKind error_of(const BrokerDelivery& delivery) noexcept {
  if (delivery.outcome.kind == DeliveryOutcome::Kind::Rejected) return ErrorKind::Rejected;
  return delivery.outcome.may_be_published ? ErrorKind::Timeout : ErrorKind::BrokerUnavailable;
}

std::string failure_of(const BrokerDelivery& delivery) {
  if (is_for_outage(delivery)) return delivery.lane->pool->outage();
  std::string why(what_happened(delivery));
  if (delivery.outcome.reason_code != 0)
    why += fmt::format(", reason code {}", delivery.outcome.reason_code);
  return why;
}

Reply reply_of(const BrokerDelivery& delivery) {
  if (is_ok(delivery)) {
    Reply reply = Reply::success();
    reply.no_subscribers = has_no_subscribers(delivery);
    return reply;
  }
  Reply reply = Reply::failure(error_of(delivery), published_of(delivery), detail_of(delivery));
  if (delivery.outcome.reason_code != 0) reply.reason_code = delivery.outcome.reason_code;
  return reply;
}

Reply reply_of(PendingRequest& pending) {
  const std::span<BrokerDelivery> deliveries = pending.deliveries();
  return deliveries.size() == 1 ? reply_of(deliveries.front()) : fan_out_reply(deliveries);
}

}  // namespace sluice::ledger
