// Replies as text. What is the same in every reply is escaped once, when the encoder is made.
#include "protocol/reply.h"

#include <fmt/format.h>

#include <cstddef>
#include <iterator>

#include "protocol/utf8.h"

namespace sluice::protocol {
namespace {

constexpr std::size_t kLengthBytes = 4;

/// Whether a byte stands in a JSON string as it is, without a closer look.
bool is_plain(unsigned char byte) {
  return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
}

/// Appends `text` as a JSON string. What is not UTF-8 becomes U+FFFD, so that the reply stays JSON.
void append_string(std::string_view text, std::string& out) {
  out += '"';
  std::size_t at = 0;
  while (at < text.size()) {
    std::size_t plain = at;
    while (plain < text.size() && is_plain(static_cast<unsigned char>(text[plain])))
      ++plain;
    out += text.substr(at, plain - at);
    at = plain;
    if (at == text.size()) break;
    const Utf8Char next = first_utf8_char(text.substr(at));
    if (next.size == 0) {
      out += "\xEF\xBF\xBD";
    } else if (next.code == '"' || next.code == '\\') {
      out += '\\';
      out += text[at];
    } else if (next.code < 0x20) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(next.code));
    } else {
      out += text.substr(at, next.size);
    }
    at += next.size == 0 ? 1 : next.size;
  }
  out += '"';
}

std::string opening(int code, std::string_view msg) {
  std::string out = fmt::format(R"({{"code":{},"msg":)", code);
  append_string(msg, out);
  return out;
}

void append_brokers(const Reply& reply, std::string& out) {
  out += R"(,"brokers":{)";
  bool first = true;
  for (const auto& [name, result] : reply.brokers) {
    if (!first) out += ',';
    first = false;
    append_string(name, out);
    out += ':';
    append_string(result, out);
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
      plain_success_(success_ + '}' + end_) {}

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
  append_string(reply.detail, out);
}

}  // namespace sluice::protocol
