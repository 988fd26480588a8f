#include "mqtt/pool/protocol_choice.h"

#include <utility>

#include "base/log.h"
#include "mqtt/reason_codes.h"

namespace sluice::mqtt {
namespace {

using config::Protocol;

/// A single one may be a broker that is being stopped.
constexpr unsigned kUnansweredAttempts = 2;

}  // namespace

void ProtocolChoice::reset() noexcept {
  current_ = broker_.protocol;
  was_answered_ = false;
  unanswered_ = 0;
}

bool ProtocolChoice::note_failure(const Loss& loss) {
  if (loss.kind == Loss::Kind::Refused) {
    const bool is_too_new = loss.reason_code == reason::kUnsupportedProtocolVersion;
    if (!is_too_new || current_ != Protocol::V5) {
      note_connack();
      return false;
    }
    current_ = Protocol::V311;
    was_answered_ = true;
    report_fallback("does not support MQTT 5");
    return true;
  }
  const bool is_searching = broker_.protocol == Protocol::V5 && !was_answered_;
  if (loss.kind != Loss::Kind::Unanswered || !is_searching) return false;
  if (++unanswered_ % kUnansweredAttempts == 0)
    current_ = current_ == Protocol::V5 ? Protocol::V311 : Protocol::V5;
  return unanswered_ < 2 * kUnansweredAttempts;  // then both versions were tried in vain
}

/// The version that gets the first CONNACK is kept, even where that refuses.
void ProtocolChoice::note_connack() {
  if (std::exchange(was_answered_, true)) return;
  if (current_ != broker_.protocol) report_fallback("closes on an MQTT 5 CONNECT");
}

void ProtocolChoice::report_fallback(const char* why) const {
  const bool has_lone_password = broker_.username.empty() && !broker_.password.empty();
  log::warn(
      log::Subject::broker(broker_.name),
      "{}; using 3.1.1 until the next reload (protocol = \"3.1.1\" does so from the start){}", why,
      has_lone_password ? "; the password is not sent, as 3.1.1 allows none without a username"
                        : "");
}

}  // namespace sluice::mqtt
