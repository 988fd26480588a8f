// The placeholders of a client identifier: one pattern names every connection of a broker.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace sluice::config {

/// The texts that placeholders stand for.
struct Placeholders {
  std::string_view host;
  std::string_view instance;
  std::string_view broker;
  std::string_view slot;
  std::string_view pid;
};

/// Replaces every {name} in `pattern`. An unknown placeholder, or a `{` that is not closed, is an
/// error that says what is allowed.
Result<std::string> replace_placeholders(std::string_view pattern, const Placeholders& values);

}  // namespace sluice::config
