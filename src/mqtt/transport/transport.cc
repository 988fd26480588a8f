#include "mqtt/transport/transport.h"

#include "mqtt/reason_codes.h"

namespace sluice::mqtt {

namespace {

bool is_about_login(int reason_code) noexcept {
  switch (reason_code) {
    case reason::kClientIdentifierNotValid:
    case reason::kBadUserNameOrPassword:
    case reason::kNotAuthorized:
    case reason::kBanned:
    case reason::kBadAuthenticationMethod:
      return true;
    default:
      return false;
  }
}

}  // namespace

bool is_lasting(const Loss& loss) noexcept {
  return loss.kind == Loss::Kind::Refused && is_about_login(loss.reason_code);
}

FailureReason failure_reason(const Loss& loss) noexcept {
  switch (loss.reason_code) {
    case 0:
      return loss.kind == Loss::Kind::Disconnected ? FailureReason::Closed : loss.reason;
    case reason::kMalformedPacket:
    case reason::kProtocolError:
    case reason::kUnsupportedProtocolVersion:
      return FailureReason::Protocol;
    default:
      return is_about_login(loss.reason_code) ? FailureReason::Login : FailureReason::Unavailable;
  }
}

}  // namespace sluice::mqtt
