// Files that a configuration names. None is waited for without end: what is no file on a disk (a
// FIFO, a terminal) has `patience` to give all.
#pragma once

#include <cstddef>
#include <string>

#include "base/clock.h"
#include "base/error.h"

namespace sluice::config {

/// Of a configuration, and of each certificate, key and bundle of authorities.
constexpr std::size_t kMaxFileBytes = 1048576;
constexpr Duration kPatience = std::chrono::seconds(10);

/// The whole file. Errors: the system's reason, that it is longer than `max_bytes`, that a FIFO has
/// no writer or did not end in time.
Result<std::string> read_file(const std::string& path, std::size_t max_bytes,
                              Duration patience = kPatience);

/// The file's first line without its end (LF or CRLF) and a byte order mark. Errors as above;
/// `max_bytes` bounds the line, not the file.
Result<std::string> read_first_line(const std::string& path, std::size_t max_bytes,
                                    Duration patience = kPatience);

/// Whether a log can be appended to it. Opens nothing: a FIFO need not have a reader yet. A file
/// that does not exist needs a folder in which it can be created; the process's own descriptors
/// (/dev/stderr) need nothing.
Result<void> check_appendable(const std::string& path);

/// Whether it is a file of at most kMaxFileBytes that can be read again and again.
Result<void> check_readable(const std::string& path);

}  // namespace sluice::config
