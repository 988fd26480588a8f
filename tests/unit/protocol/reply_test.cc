// Replies: each kind's text, its framing and its escapes.
#include "protocol/reply.h"

#include <string>

#include "catch.h"

using sluice::protocol::ErrorKind;
using sluice::protocol::Framing;
using sluice::protocol::Published;
using sluice::protocol::Reply;
using sluice::protocol::ReplyEncoder;

namespace {

std::string encode(const Reply& reply, std::string_view id = {}) {
  const ReplyEncoder encoder("mqtt 消息发送成功", "mqtt 消息发送失败", "");
  std::string out;
  encoder.append(reply, id, Framing::Stream, out);
  return out;
}

const std::string failure_start = R"({"code":2,"msg":"mqtt 消息发送失败",)";

}  // namespace

TEST_CASE("a plain success is the old server's text", "[reply]") {
  CHECK(encode(Reply::success()) == R"({"code":1,"msg":"mqtt 消息发送成功"})");
}

TEST_CASE("an id is echoed last and exactly as sent", "[reply]") {
  CHECK(encode(Reply::success(), R"("a\u0041")") ==
        R"({"code":1,"msg":"mqtt 消息发送成功","id":"a\u0041"})");
  CHECK(encode(Reply::success(), "-0") == R"({"code":1,"msg":"mqtt 消息发送成功","id":-0})");
  CHECK(encode(Reply::failure(ErrorKind::NoRoute, Published::No, "x"), "7") ==
        failure_start + R"("error":"no_route","published":"no","detail":"x","id":7})");
}

TEST_CASE("each failure has its own word and says what was published", "[reply]") {
  const auto text = [](ErrorKind error, Published published) {
    return encode(Reply::failure(error, published, "why"));
  };
  const auto wanted = [](const std::string& error, const std::string& published) {
    return failure_start + "\"error\":\"" + error + "\",\"published\":\"" + published +
           "\",\"detail\":\"why\"}";
  };
  CHECK(text(ErrorKind::BadRequest, Published::No) == wanted("bad_request", "no"));
  CHECK(text(ErrorKind::TooLarge, Published::No) == wanted("too_large", "no"));
  CHECK(text(ErrorKind::Unauthorized, Published::No) == wanted("unauthorized", "no"));
  CHECK(text(ErrorKind::Forbidden, Published::No) == wanted("forbidden", "no"));
  CHECK(text(ErrorKind::NoRoute, Published::No) == wanted("no_route", "no"));
  CHECK(text(ErrorKind::Overloaded, Published::No) == wanted("overloaded", "no"));
  CHECK(text(ErrorKind::BrokerUnavailable, Published::No) == wanted("broker_unavailable", "no"));
  CHECK(text(ErrorKind::Rejected, Published::Unknown) == wanted("rejected", "unknown"));
  CHECK(text(ErrorKind::Timeout, Published::Unknown) == wanted("timeout", "unknown"));
  CHECK(text(ErrorKind::Partial, Published::Some) == wanted("partial", "some"));
  CHECK(text(ErrorKind::ShuttingDown, Published::No) == wanted("shutting_down", "no"));
}

TEST_CASE("what belongs to one kind of reply only stands in a fixed order", "[reply]") {
  Reply reply = Reply::failure(ErrorKind::Partial, Published::Some, "x");
  reply.reason_code = 151;
  reply.retry_after_ms = 250;
  reply.brokers = {{"a", "ok"}, {"b\"", "timeout"}};
  CHECK(encode(reply, "1") ==
        failure_start + R"("error":"partial","published":"some","detail":"x","reason_code":151,)"
                        R"("retry_after_ms":250,"brokers":{"a":"ok","b\"":"timeout"},"id":1})");
}

TEST_CASE("a success without subscribers says so", "[reply]") {
  Reply reply = Reply::success();
  reply.no_subscribers = true;
  CHECK(encode(reply) == R"({"code":1,"msg":"mqtt 消息发送成功","subscribers":0})");
}

TEST_CASE("an authentication alone is answered ok", "[reply]") {
  Reply reply = Reply::success();
  reply.authenticated_only = true;
  CHECK(encode(reply) == R"({"code":1,"msg":"ok"})");
  CHECK(encode(reply, "\"i\"") == R"({"code":1,"msg":"ok","id":"i"})");
}

TEST_CASE("a detail is escaped and stays UTF-8", "[reply]") {
  const auto detail = [](std::string text) {
    return encode(Reply::failure(ErrorKind::BadRequest, Published::No, std::move(text)));
  };
  const std::string start = failure_start + R"("error":"bad_request","published":"no","detail":)";
  CHECK(detail("a\"b\\c\n\x01 消") == start + R"("a\"b\\c\u000a\u0001 消"})");
  CHECK(detail("a\xFF\xE6\xB6") == start + "\"a\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"}");
}

TEST_CASE("configured texts are escaped too", "[reply]") {
  const ReplyEncoder encoder("\"yes\"", "n\to", "");
  std::string out;
  encoder.append(Reply::success(), {}, Framing::Stream, out);
  CHECK(out == R"({"code":1,"msg":"\"yes\""})");
}

TEST_CASE("a reply ends as configured in a stream and has its length before it otherwise",
          "[reply]") {
  const ReplyEncoder encoder("ok", "no", "\r\n");
  const auto append = [&encoder](const Reply& reply, std::string_view id, Framing framing) {
    std::string out = "before";
    encoder.append(reply, id, framing, out);
    return out.substr(6);
  };
  const std::string text = R"({"code":1,"msg":"ok"})";
  const std::string marked = R"({"code":1,"msg":"ok","id":1})";
  CHECK(append(Reply::success(), {}, Framing::Stream) == text + "\r\n");
  CHECK(append(Reply::success(), {}, Framing::Unknown) == text + "\r\n");
  CHECK(append(Reply::success(), "1", Framing::Stream) == marked + "\r\n");
  CHECK(append(Reply::success(), {}, Framing::LengthPrefixed) ==
        std::string("\0\0\0\x15", 4) + text);
  CHECK(append(Reply::success(), "1", Framing::LengthPrefixed) ==
        std::string("\0\0\0\x1c", 4) + marked);
  Reply failure = Reply::failure(ErrorKind::Timeout, Published::Unknown, std::string(300, 'x'));
  const std::string framed = append(failure, {}, Framing::LengthPrefixed);
  CHECK(framed.substr(0, 4) == std::string("\0\0\x01", 3) + static_cast<char>(framed.size() - 260));
}

TEST_CASE("no reply is longer than it is counted with", "[reply]") {
  const std::string long_text(300, 's');
  const std::string success = GENERATE_COPY(std::string("sent"), long_text);
  const std::string end = GENERATE(std::string(), std::string("\n"), std::string(8, '-'));
  const ReplyEncoder encoder(success, "failed", end);
  const auto size_of = [&](const Reply& reply, std::string_view id, Framing framing) {
    std::string out;
    encoder.append(reply, id, framing, out);
    return out.size() - id.size() - reply.detail.size();
  };
  Reply without_subscribers = Reply::success();
  without_subscribers.no_subscribers = true;
  Reply to_several = Reply::failure(ErrorKind::BrokerUnavailable, Published::Unknown, "detail");
  to_several.reason_code = 135;
  to_several.brokers = {{"first", "broker_unavailable"}, {"second", "shutting_down"}};
  const std::size_t names =
      ReplyEncoder::longest_broker("first") + ReplyEncoder::longest_broker("second");
  for (const Framing framing : {Framing::Stream, Framing::LengthPrefixed}) {
    for (const std::string_view id : {"", R"("id")"}) {
      CHECK(size_of(without_subscribers, id, framing) <= encoder.longest());
      CHECK(size_of(to_several, id, framing) <= encoder.longest() + names);
    }
  }
  CHECK(ReplyEncoder("sent", "failed", "\n").longest() < 200);
}
