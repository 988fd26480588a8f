// What may be wrong with a client's framing, for the end of a fault's `detail`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sluice::protocol {

/// Of a length beyond `limit`. Empty: nothing is known.
std::string_view hint_of_length(std::uint32_t announced, std::size_t limit) noexcept;
/// Of a length-prefixed request that is not whole or could not be decoded, of which `body` was
/// received. Empty: nothing is known.
std::string_view hint_of_body(std::uint32_t announced, std::string_view body) noexcept;
/// Of an object in a JSON stream that does not end. Empty: nothing is known.
std::string_view hint_of_object(std::string_view begun) noexcept;

}  // namespace sluice::protocol
