// Small questions about texts.
#include "config/text.h"

#include "catch.h"

namespace sluice::config {

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
  CHECK(on_one_line("a\xe2\x80\xae\xe2\x80\xa8") == R"(a\xe2\x80\xae\xe2\x80\xa8)");
}

}  // namespace sluice::config
