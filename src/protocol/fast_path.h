// Reads the requests that most clients send, in one pass and in place. A JsonReader reads the rest.
#pragma once

#include <cstddef>
#include <string_view>

#include "protocol/members.h"

namespace sluice::protocol {

/// Fills `members` as a JsonReader would, if `text` begins with a flat JSON object without escapes
/// whose values are strings, integers or booleans; returns the object's size in bytes. 0: anything
/// else. Then `members` may be partly filled, and a JsonReader has to read the text.
std::size_t read_fast_path(std::string_view text, Members& members);

}  // namespace sluice::protocol
