// One reply and its text: compact JSON in the framing of the request it answers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/errors.h"
#include "protocol/framing.h"

namespace sluice::protocol {

/// The result of one request. `error`, `published` and `detail` are valid only if `ok` is false.
struct Reply {
  bool ok = true;
  ErrorKind error = ErrorKind::BadRequest;
  Published published = Published::No;
  std::string detail = {};              ///< for people; UTF-8
  std::optional<int> reason_code = {};  ///< MQTT 5.0, section 2.4
  bool no_subscribers = false;          ///< adds "subscribers":0
  std::optional<std::uint64_t> retry_after_ms = {};
  bool authenticated_only = false;  ///< with `ok`: the msg is "ok"
  /// For a failed request to several brokers: each one's name and "ok" or its error.
  std::vector<std::pair<std::string, std::string>> brokers = {};

  static Reply success() { return {}; }
  static Reply failure(ErrorKind error, Published published, std::string detail);
};

/// Answers an HTTP request, whatever is in it.
inline constexpr std::string_view kHttpRefusal =
    "HTTP/1.1 400 Bad Request\r\n"
    "Content-Type: text/plain\r\n"
    "Content-Length: 42\r\n"
    "Connection: close\r\n"
    "\r\n"
    "sluice speaks JSON over TCP here, not HTTP";

/// Writes replies. Holds the configured texts ready as JSON; make a new one when they change.
class ReplyEncoder {
 public:
  /// `success_text` and `failure_text` become `msg`; `end` follows each reply of a JSON stream.
  ReplyEncoder(std::string_view success_text, std::string_view failure_text, std::string end);

  /// Appends one reply to `out`. `id_json` is the request's id as JSON text, empty: none.
  /// LengthPrefixed puts a 4-byte big-endian length before the text and nothing behind it; Stream
  /// and Unknown put `end` behind it.
  void append(const Reply& reply, std::string_view id_json, Framing framing,
              std::string& out) const;
  /// No reply is longer, in either framing, apart from its id, its detail and its brokers.
  std::size_t longest() const noexcept { return longest_; }
  /// The bytes that a broker adds to a reply that names its brokers, at most. Names are plain
  /// ASCII.
  static std::size_t longest_broker(std::string_view name) noexcept;

 private:
  void append_text(const Reply& reply, std::string_view id_json, std::string& out) const;
  void append_failure(const Reply& reply, std::string& out) const;
  std::size_t find_longest() const;

  std::string success_;  // {"code":1,"msg":"..."
  std::string failure_;  // {"code":2,"msg":"..."
  std::string end_;
  std::string plain_success_;  // success_ with its brace and end
  std::size_t longest_ = 0;
};

}  // namespace sluice::protocol
