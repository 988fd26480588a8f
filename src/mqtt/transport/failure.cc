#include "mqtt/transport/failure.h"

#include <cerrno>
#include <cstring>

namespace sluice::mqtt {
namespace {

FailureReason reason_of(int error) noexcept {
  switch (error) {
    case ECONNREFUSED:
      return FailureReason::Refused;
    case ETIMEDOUT:
      return FailureReason::Timeout;
    case ECONNRESET:
    case EPIPE:
      return FailureReason::Closed;
    case EHOSTUNREACH:
    case EHOSTDOWN:
    case ENETUNREACH:
    case ENETDOWN:
    case ENETRESET:
    case ECONNABORTED:
    case EADDRNOTAVAIL:  // no address or port of this machine leads there
    case EACCES:         // a firewall of this machine
    case EPERM:
      return FailureReason::Unreachable;
    default:
      return FailureReason::Other;
  }
}

}  // namespace

Failure failure_of(int error) {
  return {reason_of(error), std::strerror(error)};
}

}  // namespace sluice::mqtt
