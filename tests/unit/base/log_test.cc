// Log lines: what is written, where, that a rotation loses none, and what a full disk costs.
#include <fcntl.h>
#include <rapidjson/document.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <random>
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

/// While it lives no file grows beyond `bytes`, and standard error is a pipe.
class FullDisk {
 public:
  explicit FullDisk(std::size_t bytes) {
    ::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &former_);
    const rlimit small{bytes, former_.rlim_max};
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_NONBLOCK) != 0) throw std::runtime_error("cannot make a pipe");
    said_ = ends[0];
    stderr_ = ::dup(STDERR_FILENO);
    ::dup2(ends[1], STDERR_FILENO);
    ::close(ends[1]);
    ::setrlimit(RLIMIT_FSIZE, &small);
  }
  ~FullDisk() {
    ::setrlimit(RLIMIT_FSIZE, &former_);
    ::dup2(stderr_, STDERR_FILENO);
    ::close(stderr_);
    ::close(said_);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;
  std::string said() const {
    std::string text(4096, '\0');
    const ssize_t count = ::read(said_, text.data(), text.size());
    text.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
    return text;
  }

 private:
  rlimit former_{};
  int said_ = -1;
  int stderr_ = -1;
};

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

TEST_CASE("no folder is created for a log file", "[log]") {
  const Folder folder;
  const std::string path = folder.file("new/log");
  const Result<void> failed = configure({Level::Info, path, Format::Text});
  REQUIRE_FALSE(failed);
  CHECK(failed.error().what == "log file " + path + ": No such file or directory");
  CHECK(::access(folder.file("new").c_str(), F_OK) != 0);
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

TEST_CASE("a FIFO is not waited for: without a reader it is an error, and a slow one costs lines",
          "[log]") {
  const Folder folder;
  REQUIRE(::mkfifo(folder.file().c_str(), 0600) == 0);
  const Result<void> alone = configure({Level::Info, folder.file(), Format::Text});
  REQUIRE_FALSE(alone);
  CHECK(has(alone.error().what, "a FIFO without a reader"));
  const int reader = ::open(folder.file().c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  REQUIRE(configure({Level::Info, folder.file(), Format::Text}));
  info("{}", std::string(200000, 'x'));  // more than a pipe holds
  std::string all(200000, ' ');
  REQUIRE(::read(reader, all.data(), all.size()) > 60000);
  info("after");
  const ssize_t length = ::read(reader, all.data(), all.size());
  REQUIRE(length > 0);
  all.resize(static_cast<std::size_t>(length));
  CHECK(has(all, "1 line lost"));
  CHECK(has(all, "after\n"));
  ::close(reader);
}

TEST_CASE("a full disk costs lines, and the file says how many once it can be written", "[log]") {
  const Folder folder;
  REQUIRE(configure({Level::Info, folder.file(), Format::Text}));
  info("before");
  {
    const FullDisk full(read(folder.file()).size() + 10);
    for (int number = 0; number < 5; ++number)
      info("lost {}", number);
    const std::string said = full.said();
    CHECK(has(said, "log file " + folder.file() + ": File too large; lines are lost"));
    CHECK(std::count(said.begin(), said.end(), '\n') == 1);
  }
  info("after");
  const std::string text = read(folder.file());
  CHECK(has(text, "before\n"));
  CHECK_FALSE(has(text, "lost 1"));
  CHECK(has(text, "5 lines lost"));
  CHECK(has(text, "after\n"));
  CHECK(std::count(text.begin(), text.end(), '\n') == 4);  // one is the torn one's

  const FullDisk again(text.size());
  info("lost");
  CHECK(has(again.said(), "lines are lost"));
}

TEST_CASE("where a rotation left no way to a new file, lines go on into the former one", "[log]") {
  const Folder folder;
  REQUIRE(configure({Level::Info, folder.file(), Format::Text}));
  REQUIRE(std::rename(folder.file().c_str(), folder.file("old").c_str()) == 0);
  REQUIRE(::mkdir(folder.file().c_str(), 0700) == 0);
  const Result<void> reopened = reopen();
  REQUIRE_FALSE(reopened);
  CHECK(has(reopened.error().what, "log file " + folder.file() + ": Is a directory"));
  info("still here");
  CHECK(has(read(folder.file("old")), "still here"));
}

TEST_CASE("lines that a full disk cost are counted in the file that comes after it", "[log]") {
  const Folder folder;
  REQUIRE(configure({Level::Info, folder.file(), Format::Json}));
  {
    const FullDisk full(0);
    for (int number = 0; number < 5; ++number)
      info("lost {}", number);
  }
  REQUIRE(std::rename(folder.file().c_str(), folder.file("old").c_str()) == 0);
  REQUIRE(reopen());
  info("after");
  const std::string text = read(folder.file());
  CHECK(has(text, R"("message":"5 lines lost: the file could not be written"})"));
  CHECK(has(text, R"("message":"after"})"));
}

TEST_CASE("whatever bytes a message has, its line of the JSON format parses", "[log]") {
  const Folder folder;
  REQUIRE(configure({Level::Info, folder.file(), Format::Json}));
  std::mt19937 dice(3);
  constexpr int kLines = 2000;
  for (int number = 0; number < kLines; ++number) {
    std::string bytes(dice() % 24, '\0');
    for (char& byte : bytes)
      byte = static_cast<char>(dice());
    info(Subject::broker(bytes), "{}", bytes);
  }
  std::istringstream text(read(folder.file()));
  int parsed = 0;
  for (std::string line; std::getline(text, line); ++parsed) {
    rapidjson::Document document;
    document.Parse<rapidjson::kParseValidateEncodingFlag>(line.data(), line.size());
    REQUIRE_FALSE(document.HasParseError());
    for (const char* member : {"time", "level", "broker", "message"})
      REQUIRE(document[member].IsString());
  }
  CHECK(parsed == kLines);
}

TEST_CASE("without a file there is nothing to reopen", "[log]") {
  REQUIRE(configure({}));
  CHECK(reopen());
}

}  // namespace sluice::log
