// Names and brackets that nest without end must not be parsed: the result could not be destroyed.
#include "config/nesting.h"

#include <string>

#include "config/document.h"
#include "support.h"

namespace sluice::config {
namespace {

/// "LINE:COLUMN", or "" where nothing nests too deeply.
std::string found_in(std::string_view text) {
  const auto found = find_too_deep(text);
  if (!found) return "";
  return std::to_string(found->place.line) + ":" + std::to_string(found->place.column);
}

std::string repeated(std::string_view piece, int times) {
  std::string all;
  for (int i = 0; i < times; ++i)
    all += piece;
  return all;
}

}  // namespace

TEST_CASE("a name has sixteen parts at most, wherever it stands") {
  const std::string fifteen = repeated("a.", 15);
  CHECK(found_in(fifteen + "a = 1.5\n").empty());
  CHECK(found_in("[" + fifteen + "a]\n[[" + fifteen + "a]]\nx = {" + fifteen + "a = 1}").empty());
  CHECK(found_in("\n" + fifteen + "a.a = 1\n") == "2:32");
  CHECK(found_in("[" + fifteen + "a.a]\n") == "1:33");
  CHECK(found_in("x = {y = 1, " + fifteen + "a.a = 1}\n") == "1:44");
  CHECK(found_in(repeated("'ä' . ", 16) + "a = 1\n") == "1:95");
}

TEST_CASE("sixteen brackets stand within each other at most") {
  const std::string deep = "x = " + repeated("[", 16);
  CHECK(found_in(deep + repeated("]", 16) + "\n" + deep).empty());
  CHECK(found_in(deep + "[") == "1:21");
  CHECK(found_in("x = " + repeated("{a=", 17)) == "1:53");
}

TEST_CASE("strings and comments nest nothing, and hide nothing behind them") {
  const std::string dots = repeated(".[", 40);
  for (const char* quotes : {"\"", "'", "\"\"\"", "'''"}) {
    CHECK(found_in("x = " + (quotes + dots) + quotes + " # it's \" " + dots + "\n").empty());
    CHECK_FALSE(found_in("x = " + (quotes + dots) + quotes + "\n" + dots).empty());
  }
  CHECK_FALSE(found_in("x = \"\"\n" + dots).empty());
  CHECK_FALSE(found_in("x = \"\\\"\"\n" + dots).empty());
  CHECK_FALSE(found_in("x = '\\'\n" + dots).empty());
  CHECK_FALSE(found_in("x = \"\"\"a\"\"\"\"\"\n" + dots).empty());
  CHECK_FALSE(found_in("x = '''a''''\n" + dots).empty());
  CHECK(found_in("x = \"\"\"a\"\"\\\"\"\"b" + dots + "\"\"\"").empty());
  CHECK_FALSE(found_in("x = \"cut\n" + dots).empty());
  CHECK(found_in("x = '''never closed" + dots).empty());
}

TEST_CASE("a table name of very many parts is a fault at its place") {
  CHECK(faults_of("[" + repeated("a.", 50000) + "a]\nx = 1\n") ==
        "f:1:33: nested too deeply: expected at most 16 parts of a name\n");
  CHECK(faults_of("x = " + repeated("{a=", 50000)) ==
        "f:1:53: nested too deeply: expected at most 16 brackets within each other\n");
}

}  // namespace sluice::config
