// From a Message to the bytes of one request, always well-formed JSON whatever the message holds.
#pragma once

#include <optional>
#include <string>

#include "sluice/client.h"

namespace sluice::sdk {

struct EncodedRequest {
  std::string bytes;  ///< up to and with the closing brace; empty where fault says why
  std::string fault;
};

/// The id comes first, so that a server can echo it whatever else is wrong. Text that is not UTF-8
/// and payloads that are not the JSON they claim to be are faults: they would break the stream.
EncodedRequest encode_request(const Message& message, const std::optional<RequestId>& id,
                              const std::string& token);

}  // namespace sluice::sdk
