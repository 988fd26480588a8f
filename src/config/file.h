// Files that a configuration names.
#pragma once

#include <cstddef>
#include <string>

#include "base/error.h"

namespace sluice::config {

/// The whole file. Errors: the system's reason, or that it is longer than `max_bytes`.
Result<std::string> read_file(const std::string& path, std::size_t max_bytes);

/// The file's first line without its end (LF or CRLF). Errors as above; `max_bytes` bounds the
/// line, not the file.
Result<std::string> read_first_line(const std::string& path, std::size_t max_bytes);

/// Whether the file can be opened and read from.
Result<void> check_readable(const std::string& path);

}  // namespace sluice::config
