// UTF-8 and what JSON makes of it.
#include <string>

#include "base/json_text.h"
#include "base/utf8.h"
#include "catch.h"

namespace sluice {
namespace {

std::string json(const std::string& text) {
  std::string out;
  append_json_string(text, out);
  return out;
}

}  // namespace

TEST_CASE("UTF-8 is well-formed or it is not", "[utf8]") {
  for (const char* good : {"", "a", "\xc2\x80", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xf0\x90\x80\x80",
                           "\xf4\x8f\xbf\xbf", "发送", "eight bytes of ASCII, then 发"}) {
    CAPTURE(good);
    CHECK(is_utf8(good));
  }
  for (const char* bad :
       {"\x80", "\xc1\x80", "\xc2", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\x80\x80",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe2\x82", "a\xe2\x28\xa1", "ASCII at first \xff"})
    CHECK_FALSE(is_utf8(bad));
}

TEST_CASE("a character is decoded with its code and its size", "[utf8]") {
  CHECK(first_utf8_char("ab").code == U'a');
  CHECK(first_utf8_char("发送").code == U'发');
  CHECK(first_utf8_char("发送").size == 3);
  CHECK(first_utf8_char("\xff").size == 0);
}

TEST_CASE("JSON text escapes what it must and every control character", "[json]") {
  CHECK(json("发\"\\") == R"("发\"\\")");
  CHECK(json("\n\x7f\xc2\x9b\xc2\xa0") == "\"\\u000a\\u007f\\u009b\xc2\xa0\"");
  CHECK(json("a\xff|") == "\"a\xEF\xBF\xBD|\"");
}

}  // namespace sluice
