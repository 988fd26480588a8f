// What a failed attempt is called, and what it counts as.
#include "mqtt/transport/failure.h"

#include <cerrno>
#include <set>
#include <string>
#include <string_view>

#include "catch.h"
#include "mqtt/transport/transport.h"

using namespace sluice::mqtt;

TEST_CASE("an error of the socket keeps its name, and has a class", "[failure]") {
  const auto describe = [](int error) {
    const Failure failure = failure_of(error);
    return failure.text + " / " + std::string(to_string(failure.reason));
  };
  CHECK(describe(ECONNREFUSED) == "Connection refused / refused");
  CHECK(describe(EHOSTUNREACH) == "No route to host / unreachable");
  CHECK(describe(ENETUNREACH) == "Network is unreachable / unreachable");
  CHECK(describe(ETIMEDOUT) == "Connection timed out / timeout");
  CHECK(describe(ECONNRESET) == "Connection reset by peer / closed");
  CHECK(describe(EMFILE) == "Too many open files / other");
}

TEST_CASE("a refusing CONNACK counts as login only where the operator has to act", "[failure]") {
  const auto reason_of = [](int code) {
    return failure_reason({Loss::Kind::Refused, code, "refused"});
  };
  CHECK(reason_of(0x84) == FailureReason::Protocol);
  for (const int code : {0x85, 0x86, 0x87, 0x8A, 0x8C})
    CHECK(reason_of(code) == FailureReason::Login);
  for (const int code : {0x80, 0x88, 0x89, 0x97, 0x9F})
    CHECK(reason_of(code) == FailureReason::Unavailable);
  CHECK(failure_reason({Loss::Kind::Unreachable, 0, "", FailureReason::Name}) ==
        FailureReason::Name);
  // A DISCONNECT in the place of a CONNACK.
  CHECK(failure_reason({Loss::Kind::Disconnected, 0x89, ""}) == FailureReason::Unavailable);
  CHECK(failure_reason({Loss::Kind::Disconnected, 0x82, ""}) == FailureReason::Protocol);
  CHECK(failure_reason({Loss::Kind::Disconnected, 0, ""}) == FailureReason::Closed);
}

TEST_CASE("each class has a label of its own", "[failure]") {
  std::set<std::string_view> labels;
  for (std::size_t i = 0; i < kFailureReasons; ++i)
    labels.insert(to_string(static_cast<FailureReason>(i)));
  CHECK(labels.size() == kFailureReasons);
  CHECK(labels.contains("other"));
  CHECK_FALSE(labels.contains(""));
}
