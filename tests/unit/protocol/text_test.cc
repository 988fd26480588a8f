// Topics, text properties, base64 and excerpts: what is accepted and what is rejected.
#include <string>

#include "base/utf8.h"
#include "catch.h"
#include "protocol/base64.h"
#include "protocol/excerpt.h"
#include "protocol/request.h"
#include "protocol/topic.h"

using namespace sluice::protocol;
using sluice::is_utf8;

namespace {

std::string repeated(const std::string& text, std::size_t times) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i)
    out += text;
  return out;
}

std::string decoded(std::string_view text) {
  std::string out;
  return decode_base64(text, out) ? out : "refused";
}

}  // namespace

TEST_CASE("ordinary topics pass", "[topic]") {
  for (const std::string topic :
       {"dev/1001/cmd", "/", "a b", "设备/一", "\U0001F600", "$x", "\xC2\xA0", "\uFFFD"}) {
    CAPTURE(topic);
    CHECK_FALSE(topic_fault(topic));
    CHECK_FALSE(text_fault(topic));
  }
}

TEST_CASE("a topic has 1 to 65535 bytes", "[topic]") {
  CHECK(topic_fault("") == "expected 1 to 65535 bytes, got 0");
  CHECK_FALSE(topic_fault(std::string(65535, 'a')));
  CHECK(topic_fault(std::string(65536, 'a')) == "expected 1 to 65535 bytes, got 65536");
  CHECK_FALSE(text_fault(""));
  CHECK_FALSE(text_fault(std::string(65535, 'a')));
  CHECK(text_fault(std::string(65536, 'a')));
}

TEST_CASE("a topic has no wildcards, a text may", "[topic]") {
  for (const std::string topic : {"+", "#", "a/+/b", "a/#", "a+b"}) {
    CAPTURE(topic);
    CHECK(topic_fault(topic));
    CHECK_FALSE(text_fault(topic));
  }
}

TEST_CASE("a topic has at most 200 slashes", "[topic]") {
  CHECK_FALSE(topic_fault(std::string(200, '/')));
  CHECK(topic_levels(std::string(200, '/')) == kMaxTopicLevels);
  CHECK(topic_fault(std::string(201, '/')) == "at most 200 slashes are allowed, got 201");
  CHECK_FALSE(text_fault(std::string(201, '/')));
}

TEST_CASE("topics that are not for messages are refused, other ones with a dollar are not",
          "[topic]") {
  for (const char* topic : {"$SYS", "$SYS/", "$SYS/broker/uptime", "$share", "$share/g/t"})
    CHECK(topic_fault(topic) ==
          "$SYS and $share are not for messages: a broker may disconnect on them");
  for (const char* topic :
       {"$SYSTEM/a", "$shared/a", "$aws/things/a/shadow/update", "a/$SYS/b", "$"})
    CHECK_FALSE(topic_fault(topic));
}

TEST_CASE("topics and texts hold no control characters", "[topic]") {
  for (unsigned code = 0; code < 0xA0; ++code) {
    if (code >= 0x20 && code < 0x7F) continue;
    CAPTURE(code);
    std::string text = "a";
    if (code >= 0x80) text += '\xC2';
    text += static_cast<char>(code);
    CHECK(topic_fault(text));
    CHECK(text_fault(text));
  }
}

TEST_CASE("topics and texts hold no non-characters", "[topic]") {
  for (const std::string text :
       {"\xEF\xB7\x90", "\xEF\xB7\xAF", "\xEF\xBF\xBE", "\xEF\xBF\xBF", "\xF0\x9F\xBF\xBE",
        "\xF0\x9F\xBF\xBF", "\xF4\x8F\xBF\xBE", "\xF4\x8F\xBF\xBF"}) {
    CHECK(topic_fault(text));
    CHECK(text_fault(text));
  }
  CHECK_FALSE(topic_fault("\xEF\xB7\x8F"));  // U+FDCF
  CHECK_FALSE(topic_fault("\xEF\xB7\xB0"));  // U+FDF0
}

TEST_CASE("topics and texts are UTF-8", "[topic]") {
  for (const std::string text : {"\x80", "\xFF", "\xC3", "\xC0\xAF", "\xE0\x80\xAF", "\xED\xA0\x80",
                                 "\xED\xB0\x80", "\xF4\x90\x80\x80", "\xF8\x88\x80\x80\x80"}) {
    CHECK(topic_fault(text));
    CHECK(text_fault(text));
    CHECK_FALSE(is_utf8(text));
  }
}

TEST_CASE("base64 of every length is decoded", "[base64]") {
  CHECK(decoded("") == "");
  CHECK(decoded("Zg==") == "f");
  CHECK(decoded("Zm8=") == "fo");
  CHECK(decoded("Zm9v") == "foo");
  CHECK(decoded("Zm9vYg==") == "foob");
  CHECK(decoded("Zm9vYmE=") == "fooba");
  CHECK(decoded("Zm9vYmFy") == "foobar");
  CHECK(decoded("AP/+") == std::string("\0\xFF\xFE", 3));
}

TEST_CASE("base64 that is not exact is refused", "[base64]") {
  for (const std::string text :
       {"Z", "Zg", "Zg=", "Zg===", "Z===", "====", "=", "Zg==Zg==", "Zm9v\n", "Zm 9v===", "Zm-_",
        "Zh==", "Zm9=", "Zm=v", "Zm9v====", "=m9v"}) {
    CAPTURE(text);
    CHECK(decoded(text) == "refused");
  }
}

TEST_CASE("an excerpt is short, printable and UTF-8", "[excerpt]") {
  CHECK(quoted_excerpt("abc") == "\"abc\"");
  CHECK(quoted_excerpt(std::string(40, 'a')) == "\"" + std::string(40, 'a') + "\"");
  CHECK(quoted_excerpt(std::string(41, 'a')) == "\"" + std::string(40, 'a') + "...\"");
  CHECK(quoted_excerpt("a\n\xFF\x7F") == "\"a???\"");
  CHECK(quoted_excerpt(repeated("消", 14)) == "\"" + repeated("消", 13) + "...\"");
}

TEST_CASE("a request keeps its texts in one block, the topic with a NUL behind it", "[request]") {
  auto properties = std::make_unique<Properties>();
  properties->user.emplace_back("k", "v");
  Request made =
      Request::make("t/1", std::string_view("\0x", 2), "\"i\"", "secret", std::move(properties));
  const std::size_t weight = made.bytes();
  const Request request = std::move(made);
  CHECK(request.topic() == "t/1");
  CHECK(request.topic().data()[3] == '\0');
  CHECK(request.payload() == std::string_view("\0x", 2));
  CHECK(request.id() == "\"i\"");
  CHECK(request.token() == "secret");
  REQUIRE(request.properties() != nullptr);
  CHECK(request.properties()->user.size() == 1);
  CHECK(weight == request.bytes());
  CHECK(weight >= sizeof(Request) + 3 + 1 + 2 + 3 + 6 + sizeof(Properties) + 2);
}

TEST_CASE("a request may have an empty payload and neither id nor token", "[request]") {
  const Request request = Request::make("t", "");
  CHECK(request.payload().empty());
  CHECK(request.id().empty());
  CHECK(request.token().empty());
  CHECK(request.properties() == nullptr);
  CHECK(request.bytes() == sizeof(Request) + 2);
}
