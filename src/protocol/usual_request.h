// Reads the requests that most clients send, in one pass and in place. A JsonReader reads the rest.
#pragma once

#include <string_view>

#include "protocol/members.h"

namespace sluice::protocol {

/// Fills `members` exactly as a JsonReader would, if `text` is a flat JSON object without escapes
/// whose values are strings, integers, true or false. False: it is anything else, or not JSON. Then
/// `members` may hold a part of it, and a JsonReader has to read the text from its beginning.
bool read_usual_request(std::string_view text, Members& members);

}  // namespace sluice::protocol
