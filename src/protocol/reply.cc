// Writes replies as text. What all replies share is escaped once, by the constructor.
#include "protocol/reply.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <limits>

#include "base/json_text.h"

namespace sluice::protocol {
namespace {

constexpr std::size_t kLengthBytes = 4;

std::string opening(int code, std::string_view msg) {
  std::string out = fmt::format(R"({{"code":{},"msg":)", code);
  append_json_string(msg, out);
  return out;
}

void append_brokers(const Reply& reply, std::string& out) {
  out += R"(,"brokers":{)";
  bool first = true;
  for (const auto& [name, result] : reply.brokers) {
    if (!first) out += ',';
    first = false;
    append_json_string(name, out);
    out += ':';
    append_json_string(result, out);
  }
  out += '}';
}

}  // namespace

Reply Reply::failure(ErrorKind error, Published published, std::string detail) {
  Reply reply;
  reply.ok = false;
  reply.error = error;
  reply.published = published;
  reply.detail = std::move(detail);
  return reply;
}

ReplyEncoder::ReplyEncoder(std::string_view success_text, std::string_view failure_text,
                           std::string end)
    : success_(opening(1, success_text)),
      failure_(opening(2, failure_text)),
      end_(std::move(end)),
      plain_success_(success_ + '}' + end_),
      longest_(find_longest()) {}

std::size_t ReplyEncoder::find_longest() const {
  Reply success = Reply::success();
  success.no_subscribers = true;
  Reply failure = Reply::failure({}, Published::Unknown, {});
  for (std::size_t error = 0; error < kErrorKinds; ++error) {
    if (to_string(ErrorKind(error)).size() > to_string(failure.error).size())
      failure.error = ErrorKind(error);
  }
  failure.reason_code = 255;
  Reply forbidden = Reply::failure(ErrorKind::Forbidden, Published::No, {});
  forbidden.retry_after_ms = std::numeric_limits<std::uint64_t>::max();
  std::size_t longest = 0;
  for (const Reply& reply : {success, failure, forbidden}) {
    std::string text;
    append_text(reply, "0", text);
    longest = std::max(longest, text.size());
  }
  return longest + std::max(end_.size(), kLengthBytes);
}

std::size_t ReplyEncoder::longest_broker(std::string_view name) noexcept {
  constexpr std::size_t kAround = 32;  // its error, quotes, colon, comma, half of `"brokers":{}`
  return kAround + name.size();
}

void ReplyEncoder::append(const Reply& reply, std::string_view id_json, Framing framing,
                          std::string& out) const {
  if (framing != Framing::LengthPrefixed) {
    const bool plain = reply.ok && id_json.empty() && !reply.authenticated_only &&
                       !reply.no_subscribers && reply.brokers.empty() && !reply.reason_code &&
                       !reply.retry_after_ms;
    if (plain) {
      out += plain_success_;
      return;
    }
    append_text(reply, id_json, out);
    out += end_;
    return;
  }
  const std::size_t start = out.size();
  out.append(kLengthBytes, '\0');
  append_text(reply, id_json, out);
  const std::size_t length = out.size() - start - kLengthBytes;
  for (std::size_t i = 0; i < kLengthBytes; ++i) {
    out[start + i] = static_cast<char>((length >> (8 * (kLengthBytes - 1 - i))) & 0xFF);
  }
}

void ReplyEncoder::append_text(const Reply& reply, std::string_view id_json,
                               std::string& out) const {
  if (!reply.ok) {
    append_failure(reply, out);
  } else if (reply.authenticated_only) {
    out += R"({"code":1,"msg":"ok")";
  } else {
    out += success_;
  }
  const auto append_number = [&out](std::string_view name, auto number) {
    fmt::format_to(std::back_inserter(out), R"(,"{}":{})", name, number);
  };
  if (reply.reason_code) append_number("reason_code", *reply.reason_code);
  if (reply.retry_after_ms) append_number("retry_after_ms", *reply.retry_after_ms);
  if (reply.no_subscribers) append_number("subscribers", 0);
  if (!reply.brokers.empty()) append_brokers(reply, out);
  if (!id_json.empty()) {
    out += R"(,"id":)";
    out += id_json;
  }
  out += '}';
}

void ReplyEncoder::append_failure(const Reply& reply, std::string& out) const {
  out += failure_;
  out += R"(,"error":")";
  out += to_string(reply.error);
  out += R"(","published":")";
  out += to_string(reply.published);
  out += R"(","detail":)";
  append_json_string(reply.detail, out);
}

}  // namespace sluice::protocol
