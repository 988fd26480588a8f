// Small questions about texts.
#include "config/text.h"

#include "catch.h"

namespace sluice::config {

TEST_CASE("UTF-8 is well-formed or it is not") {
  for (const char* good : {"", "a", "\xc2\x80", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xf0\x90\x80\x80",
                           "\xf4\x8f\xbf\xbf", "发送"}) {
    CAPTURE(good);
    CHECK(is_utf8(good));
  }
  for (const char* bad :
       {"\x80", "\xc1\x80", "\xc2", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\x80\x80",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe2\x82", "a\xe2\x28\xa1"})
    CHECK_FALSE(is_utf8(bad));
}

TEST_CASE("control characters of both ranges are seen, and letters after them are not") {
  CHECK(has_control_characters("a\n"));
  CHECK(has_control_characters("\x7f"));
  CHECK(has_control_characters("\xc2\x9f"));
  CHECK_FALSE(has_control_characters("\xc2\xa0 \xe2\x80\x80"));
}

TEST_CASE("what is shown stays on one line and is cut between characters") {
  CHECK(quoted("a\"\\b\n\xff\xc2\x85") == R"("a\"\\b\x0a\xff\xc2\x85")");
  const std::string shown = quoted(std::string(79, 'a') + "发发发");
  CHECK(shown == "\"" + std::string(79, 'a') + "发…\"");
}

TEST_CASE("the edit distance counts what was added, dropped and replaced") {
  CHECK(edit_distance("", "abc") == 3);
  CHECK(edit_distance("max_conections", "max_connections") == 1);
  CHECK(edit_distance("kitten", "sitting") == 3);
  CHECK(edit_distance("same", "same") == 0);
}

}  // namespace sluice::config
