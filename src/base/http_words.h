// What the lines of an HTTP request begin with, for the layers that have to recognize one.
#pragma once

#include <array>
#include <string_view>

namespace sluice {

/// Methods with the space behind them; PRI is the first word of HTTP/2.
inline constexpr std::array<std::string_view, 10> kHttpMethods = {
    "GET ",     "HEAD ",    "POST ",  "PUT ",   "DELETE ",
    "CONNECT ", "OPTIONS ", "TRACE ", "PATCH ", "PRI "};
/// In lower case; it is compared without regard to case.
inline constexpr std::string_view kHttpHost = "host:";

}  // namespace sluice
