// ${NAME} in the strings of a configuration file.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace sluice::config {

/// The value of a variable; nothing where it is not set.
using Environment = std::function<std::optional<std::string>(const std::string&)>;

/// Which names of variables an error may repeat. In a text that is secret, a `${` may be part of it
/// by chance: there only what is called as variables usually are, LIKE_THIS_1, is shown.
enum class NamesShown { All, Usual };

/// Replaces ${NAME} and ${NAME:-fallback}; as in a shell the fallback also stands for a variable
/// that is set and empty. `$${` becomes `${`. A variable's value is not substituted again. The
/// error names the variable that is not set, or the text that is no variable.
Result<std::string> substitute(std::string_view text, const Environment& environment,
                               NamesShown shown = NamesShown::All);

/// The text is one ${…} from its first to its last character: it may stand for any type.
bool is_one_variable(std::string_view text) noexcept;

}  // namespace sluice::config
