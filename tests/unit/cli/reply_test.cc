// Cutting, reading and judging replies, hostile ones included.
#include "sdk/reply.h"

#include <cstdint>
#include <string>
#include <vector>

#include "catch.h"

using namespace sluice;
using namespace sluice::sdk;

namespace {

Outcome outcome_of(const std::string& error, const std::string& published) {
  ServerReply reply;
  reply.code = 2;
  reply.error = error;
  reply.published = published;
  return result_of(reply).outcome;
}

std::vector<std::string> cut(ReplyScanner& scanner, std::string_view bytes) {
  std::vector<std::string> replies;
  std::string reply;
  scanner.append(bytes);
  for (;;) {
    const auto next = scanner.next(reply);
    if (next == ReplyScanner::Next::NeedMore) return replies;
    replies.push_back(next == ReplyScanner::Next::Reply ? reply : "GARBAGE");
    if (next == ReplyScanner::Next::Garbage) return replies;
  }
}

constexpr std::string_view kWhole =
    R"({"code":2,"msg":"mqtt 消息发送失败","error":"partial","published":"some","detail":"b: \"late\"",)"
    R"("reason_code":151,"retry_after_ms":20,"brokers":{"a":"ok","b":"timeout"},"new":[{"x":null}],"id":"q}{"})";

}  // namespace

TEST_CASE("a reply is read with all its members, unknown ones skipped", "[sdk]") {
  const auto reply = parse_reply(kWhole);
  REQUIRE(reply);
  CHECK(reply->code == 2);
  CHECK(reply->error == "partial");
  CHECK(reply->published == "some");
  CHECK(reply->detail == "b: \"late\"");
  CHECK(reply->id == RequestId{"q}{"});
  const PublishResult result = result_of(*reply);
  CHECK(result.outcome == Outcome::Partial);
  CHECK(result.reason_code == 151);
  CHECK(result.retry_after == std::chrono::milliseconds{20});
  REQUIRE(result.brokers.size() == 2);
  CHECK(result.brokers[1] == std::pair<std::string, std::string>{"b", "timeout"});
}

TEST_CASE("the old server's reply is understood", "[sdk]") {
  const auto sent = parse_reply(R"({"code":1,"msg":"mqtt 消息发送成功"})");
  REQUIRE(sent);
  CHECK(result_of(*sent).outcome == Outcome::Published);
  const auto failed = parse_reply(R"({"code":2,"msg":"mqtt \u6d88\u606f"})");
  REQUIRE(failed);
  CHECK(result_of(*failed).outcome == Outcome::Unknown);
}

TEST_CASE("zero subscribers are told apart from an unsaid number", "[sdk]") {
  CHECK(result_of(*parse_reply(R"({"code":1,"subscribers":0})")).no_subscribers);
  CHECK_FALSE(result_of(*parse_reply(R"({"code":1,"subscribers":3})")).no_subscribers);
  CHECK_FALSE(result_of(*parse_reply(R"({"code":1})")).no_subscribers);
}

TEST_CASE("what is no reply is not taken for one", "[sdk]") {
  for (const auto* wrong : {"",
                            "{}",
                            "[]",
                            "1",
                            R"({"code":3})",
                            R"({"code":"1"})",
                            R"({"code":1.0})",
                            R"({"code":1}{)",
                            R"({"code":1} x)",
                            R"({"code":1,})",
                            R"({"code":1,"code":1})",
                            R"({"msg":"x"})",
                            R"({"code":1,"id":null})",
                            R"({"code":1,"id":1.5})",
                            R"({"code":1,"id":99999999999999999999})",
                            R"({"code":2,"error":5})",
                            R"({"code":2,"brokers":[]})",
                            R"({"code":2,"brokers":{"a":1}})",
                            R"({"code":2,"brokers":{"a":"b"})",
                            R"({"code":1,"msg":"\ud800"})",
                            "{\"code\":1,\"m\":\"\xff\"}",
                            R"({"code":1,"x":{"y":}})"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_reply(wrong));
  }
}

TEST_CASE("every prefix and every changed byte of a reply is survived", "[sdk]") {
  for (std::size_t size = 0; size < kWhole.size(); ++size) {
    CHECK_FALSE(parse_reply(kWhole.substr(0, size)));
  }
  std::uint32_t state = GENERATE(1U, 2U, 3U, 4U);
  for (int round = 0; round < 5'000; ++round) {
    std::string text(kWhole);
    for (int change = 0; change < 3; ++change) {
      state = state * 1664525U + 1013904223U;
      text[(state >> 8U) % text.size()] = static_cast<char>(state & 0xFFU);
    }
    if (const auto reply = parse_reply(text)) (void)result_of(*reply);
    ReplyScanner scanner;
    (void)cut(scanner, text);
  }
  SUCCEED("no fault was found by the sanitizers");
}

TEST_CASE("the words of the contract are judged by what a retry would do", "[sdk]") {
  for (const auto* lasting :
       {"bad_request", "too_large", "unauthorized", "forbidden", "no_route", "rejected"}) {
    CAPTURE(lasting);
    CHECK(outcome_of(lasting, "no") == Outcome::Refused);
  }
  for (const auto* passing : {"overloaded", "broker_unavailable", "shutting_down", "from_later"}) {
    CAPTURE(passing);
    CHECK(outcome_of(passing, "no") == Outcome::NotPublished);
  }
  CHECK(outcome_of("timeout", "unknown") == Outcome::Unknown);
  CHECK(outcome_of("rejected", "unknown") == Outcome::Unknown);
  CHECK(outcome_of("partial", "some") == Outcome::Partial);
  CHECK(outcome_of("overloaded", "") == Outcome::Unknown);
  CHECK(outcome_of("bad_request", "perhaps") == Outcome::Unknown);
}

TEST_CASE("an exceeded rate is a reason to wait, not to give up", "[sdk]") {
  const auto reply =
      parse_reply(R"({"code":2,"error":"forbidden","published":"no","retry_after_ms":50})");
  REQUIRE(reply);
  CHECK(result_of(*reply).outcome == Outcome::NotPublished);
  CHECK(result_of(*reply).retry_after == std::chrono::milliseconds{50});
}

TEST_CASE("replies are cut at their braces however the bytes arrive", "[sdk]") {
  const std::string two = std::string(kWhole) + R"({"code":1})";
  ReplyScanner whole;
  CHECK(cut(whole, two) == std::vector<std::string>{std::string(kWhole), R"({"code":1})"});
  ReplyScanner bytewise;
  std::vector<std::string> replies;
  for (const char c : "\r\n" + two + '\0' + "\n{") {
    for (auto& reply : cut(bytewise, {&c, 1}))
      replies.push_back(std::move(reply));
  }
  CHECK(replies == std::vector<std::string>{std::string(kWhole), R"({"code":1})"});
}

TEST_CASE("another protocol's greeting and an endless reply are garbage", "[sdk]") {
  ReplyScanner greeting;
  CHECK(cut(greeting, "SSH-2.0-x\r\n") == std::vector<std::string>{"GARBAGE"});
  ReplyScanner behind;
  CHECK(cut(behind, "{} }") == std::vector<std::string>{"{}", "GARBAGE"});
  ReplyScanner endless;
  CHECK(cut(endless, "{\"a\":\"" + std::string(kMaxReplyBytes, 'x')) ==
        std::vector<std::string>{"GARBAGE"});
}
