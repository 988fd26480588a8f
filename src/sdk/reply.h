// From received bytes to replies, and from a reply to what it says about the message.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/client.h"

namespace sluice::sdk {

/// The longest reply that is read; a longer one is garbage.
inline constexpr std::size_t kMaxReplyBytes = std::size_t{1024} * 1024;

/// Cuts a stream of JSON objects at their closing braces. Between them, white space and control
/// characters (`[replies] end`) are skipped; anything else is garbage and ends the stream.
class ReplyScanner {
 public:
  enum class Next { Reply, NeedMore, Garbage };

  void append(std::string_view bytes);
  /// On Reply, the object is moved into `reply`.
  Next next(std::string& reply);

 private:
  /// Steps over one character inside an object; true where it ends the object.
  bool step(char c) noexcept;

  std::string input_;
  std::size_t begin_ = 0;  ///< of the object that is being read
  std::size_t at_ = 0;
  std::size_t depth_ = 0;
  bool in_string_ = false;
  bool escaped_ = false;
};

/// The members of a reply that the client uses.
struct ServerReply {
  std::int64_t code = 0;  ///< 1 or 2
  std::string error;
  std::string published;
  std::string detail;
  std::optional<RequestId> id;
  std::optional<std::int64_t> subscribers;
  std::optional<std::int64_t> reason_code;
  std::optional<std::int64_t> retry_after_ms;
  std::vector<std::pair<std::string, std::string>> brokers;
};

/// Nothing where the text is not one JSON object with a `code` of 1 or 2, where a known member has
/// another type than it should, or where a member comes twice. Unknown members are ignored.
std::optional<ServerReply> parse_reply(std::string_view text);

/// The result of the request, without ticket, id and text.
PublishResult result_of(const ServerReply& reply);

}  // namespace sluice::sdk
