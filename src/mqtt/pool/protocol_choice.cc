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

void ProtocolChoice::note_success() {
  note_connack();
}

void ProtocolChoice::note_failure(const Loss& loss) {
  if (loss.kind == Loss::Kind::Refused) {
    const bool is_too_new = loss.reason_code == reason::kUnsupportedProtocolVersion;
    if (is_too_new && current_ == Protocol::V5) {
      current_ = Protocol::V311;
      was_answered_ = true;
      report_fallback("does not support MQTT 5");
    } else {
      note_connack();
    }
  } else if (loss.kind == Loss::Kind::Unanswered && !was_answered_ &&
             broker_.protocol == Protocol::V5 && ++unanswered_ == kUnansweredAttempts) {
    unanswered_ = 0;
    current_ = current_ == Protocol::V5 ? Protocol::V311 : Protocol::V5;
  }
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
