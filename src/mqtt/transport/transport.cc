#include "mqtt/transport/transport.h"

#include "mqtt/reason_codes.h"

namespace sluice::mqtt {

bool is_lasting(const Loss& loss) noexcept {
  if (loss.kind != Loss::Kind::Refused) return false;
  switch (loss.reason_code) {
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

}  // namespace sluice::mqtt
