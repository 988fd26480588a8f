#include "cli/send_text.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>

#include "base/utf8.h"

namespace sluice::cli {

namespace {

/// The first character of `text` and its bytes, at least one; false where they are no UTF-8 or not
/// fit to be shown.
bool take_character(std::string_view& text, Utf8Char& next, std::string_view& bytes) {
  next = first_utf8_char(text);
  bytes = text.substr(0, std::max<std::size_t>(next.size, 1));
  text.remove_prefix(bytes.size());
  return next.size > 0 && !steers_display(next.code);
}

}  // namespace

/// Writes all of it, and waits where the descriptor does not block. False: the reader is gone.
bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t wrote = ::write(fd, text.data(), text.size());
    if (wrote >= 0) {
      text.remove_prefix(static_cast<std::size_t>(wrote));
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) return false;
    pollfd room{fd, POLLOUT, 0};
    (void)::poll(&room, 1, -1);
  }
  return true;
}

std::string printable(std::string_view text) {
  std::string result;
  Utf8Char next;
  std::string_view bytes;
  while (!text.empty()) {
    if (take_character(text, next, bytes)) {
      result += bytes;
      continue;
    }
    for (const char byte : bytes)
      fmt::format_to(std::back_inserter(result), "\\x{:02x}", static_cast<unsigned char>(byte));
  }
  return result;
}

std::string printable_reply(std::string_view reply) {
  std::string result;
  Utf8Char next;
  std::string_view bytes;
  bool in_string = false;
  bool escaped = false;
  while (!reply.empty()) {
    const bool is_shown = take_character(reply, next, bytes);
    if (next.code == U'"' && !escaped) in_string = !in_string;
    escaped = in_string && !escaped && next.code == U'\\';
    if (is_shown) {
      result += bytes;
    } else if (next.size == 0) {
      result += "\uFFFD";
    } else if (in_string) {
      fmt::format_to(std::back_inserter(result), "\\u{:04x}", static_cast<unsigned>(next.code));
    } else {
      result += ' ';  // JSON has nothing but white space here
    }
  }
  return result;
}

std::string describe(const PublishResult& result) {
  const bool is_unknown = result.outcome == Outcome::Unknown;
  std::string error = result.error;
  std::replace(error.begin(), error.end(), '_', ' ');
  std::string text =
      fmt::format("{}: {}", is_unknown ? "outcome unknown" : to_string(result.outcome), error);
  if (!result.detail.empty()) text += fmt::format(" ({})", result.detail);
  return printable(text);
}

}  // namespace sluice::cli
