// docs/client.md shows the example that is compiled, not one that used to.
#include <fstream>
#include <iterator>
#include <string>

#include "catch.h"

namespace {

std::string contents(const std::string& name) {
  std::ifstream file(std::string(SLUICE_DOCS) + "/" + name, std::ios::binary);
  REQUIRE(file);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("the guide shows the example program to the letter", "[sdk]") {
  const std::string guide = contents("client.md");
  CHECK(guide.find("```cpp\n" + contents("examples/client.cc") + "```\n") != std::string::npos);
}
