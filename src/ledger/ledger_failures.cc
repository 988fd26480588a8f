// What the ledger says of requests that failed: to the log, and to clients of devices without a
// broker.
#include <fmt/format.h>

#include "base/log.h"
#include "ledger/ledger.h"
#include "ledger/reply_builder.h"

namespace sluice::ledger {

/// Per failure a counter and, once in FailureLog::kWindow, a text.
void Ledger::note_failure(const BrokerDelivery& delivery, protocol::ErrorKind error) noexcept {
  FailureLog& failures = delivery.lane->failures;
  if (failures.count(error))
    failures.set_example(error, delivery.pending->request, failure_of(delivery));
  if (!failure_timer_.is_active()) failure_timer_.start(FailureLog::kWindow);
}

void Ledger::log_failures() noexcept {
  bool is_going_on = false;
  const auto tick = [&](FailureLog& failures, const log::Subject& about) {
    failures.tick(loop_.now(), about);
    is_going_on = is_going_on || failures.is_going_on();
  };
  tick(unrouted_failures_, {});
  for (const auto& lane : lanes_)
    tick(lane->failures, log::Subject::broker(lane->pool->name()));
  if (is_going_on) failure_timer_.start(FailureLog::kWindow);
}

void Ledger::finish_log() noexcept {
  failure_timer_.stop();
  unrouted_failures_.finish(loop_.now(), {});
  for (const auto& lane : lanes_)
    lane->failures.finish(loop_.now(), log::Subject::broker(lane->pool->name()));
}

std::string Ledger::describe_no_route(std::int64_t device_id) const {
  std::string text = fmt::format("no broker serves device {}", device_id);
  const auto [below, above] = router_.neighbours(device_id);
  const char* before = "; nearest: ";
  for (const Route* route : {below, above}) {
    if (route == nullptr) continue;
    text += fmt::format("{}broker {}, {} to {}", before, lanes_[route->broker]->pool->name(),
                        route->min + 1, route->max - 1);
    before = ", and ";
  }
  return text;
}

}  // namespace sluice::ledger
