// Log lines: what is written, where, and that a rotation loses none.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>

#include "base/log.h"
#include "catch.h"

namespace sluice::log {
namespace {

/// Gives the log back to standard error at the end of a test.
class Folder {
 public:
  Folder() {
    std::string name = "/tmp/sluice-log-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make a directory");
    path_ = name;
  }
  ~Folder() {
    (void)configure({});
    for (const char* name : {"/log", "/old"})
      std::remove((path_ + name).c_str());
    ::rmdir(path_.c_str());
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string file(const char* name = "log") const { return path_ + "/" + name; }

 private:
  std::string path_;
};

std::string read(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("lines below the level are neither written nor formatted", "[log]") {
  const Folder folder;
  REQUIRE(configure({Level::Warn, folder.file(), Format::Text}));
  CHECK_FALSE(is_enabled(Level::Info));
  CHECK(is_enabled(Level::Warn));
  debug("one {}", 1);
  info("two {}", 2);
  warn("three {}", 3);
  error("four {}", 4);
  const std::string text = read(folder.file());
  CHECK_FALSE(has(text, "one"));
  CHECK_FALSE(has(text, "two"));
  CHECK(has(text, "three 3\n"));
  CHECK(has(text, "four 4\n"));
}

TEST_CASE("a line of the JSON format is one JSON object whatever it says", "[log]") {
  const Folder folder;
  REQUIRE(configure({Level::Info, folder.file(), Format::Json}));
  info("a \"quote\", a \\ and a\nnewline");
  const std::string text = read(folder.file());
  CHECK(has(text, R"("level":"info","message":"a \"quote\", a \\ and a\u000anewline"})"));
  CHECK(text.find('\n') == text.size() - 1);
}

TEST_CASE("after a rotation lines go to the new file", "[log]") {
  const Folder folder;
  REQUIRE(configure({Level::Info, folder.file(), Format::Text}));
  info("before");
  REQUIRE(std::rename(folder.file().c_str(), folder.file("old").c_str()) == 0);
  info("between");
  REQUIRE(reopen());
  info("after");
  CHECK(has(read(folder.file("old")), "before"));
  CHECK(has(read(folder.file("old")), "between"));
  CHECK(has(read(folder.file()), "after"));
  CHECK_FALSE(has(read(folder.file()), "between"));
}

TEST_CASE("a log file that cannot be opened is named, and the former one stays", "[log]") {
  const Folder folder;
  REQUIRE(configure({Level::Info, folder.file(), Format::Text}));
  const Result<void> failed = configure({Level::Error, folder.file("."), Format::Text});
  REQUIRE_FALSE(failed);
  CHECK(has(failed.error().what, folder.file(".")));
  info("still here");
  CHECK(has(read(folder.file()), "still here"));
  REQUIRE(reopen());
  info("and here");
  CHECK(has(read(folder.file()), "and here"));
}

TEST_CASE("without a file there is nothing to reopen", "[log]") {
  REQUIRE(configure({}));
  CHECK(reopen());
}

}  // namespace sluice::log
