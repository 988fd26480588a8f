// What a configuration names need not be a file, and need not end.
#include "config/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <string>

#include "support.h"

namespace sluice::config {
namespace {

constexpr Duration kNone{0};

/// A pipe, with the path that a shell gives a program for it.
struct Pipe {
  Pipe() { REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0); }
  ~Pipe() {
    close_writer();
    ::close(ends[0]);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  void write(std::string_view text) const {
    REQUIRE(::write(ends[1], text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  }
  void close_writer() {
    if (ends[1] >= 0) ::close(ends[1]);
    ends[1] = -1;
  }
  std::string path() const { return "/dev/fd/" + std::to_string(ends[0]); }
  std::array<int, 2> ends{};
};

std::string error_of(const auto& result) {
  return result ? "" : result.error().what;
}

}  // namespace

TEST_CASE("a pipe is read to its end") {
  Pipe pipe;
  pipe.write("one\r\ntwo\n");
  pipe.close_writer();
  CHECK(read_file(pipe.path(), 100, kNone).value() == "one\r\ntwo\n");
}

TEST_CASE("the first line of a pipe needs no end of the pipe") {
  Pipe pipe;
  pipe.write("one\r\ntwo\n");
  CHECK(read_first_line(pipe.path(), 100, kNone).value() == "one");
}

TEST_CASE("a first line is without its end and without a byte order mark") {
  const auto line_of = [](std::string_view content, std::size_t most = 6) {
    const TemporaryFile file(content);
    const auto line = read_first_line(file.path(), most);
    return line ? "<" + line.value() + ">" : line.error().what;
  };
  for (const std::string mark : {"", "\xEF\xBB\xBF"}) {
    CAPTURE(mark.size());
    CHECK(line_of(mark + "s3cret") == "<s3cret>");
    CHECK(line_of(mark + "s3cret\n") == "<s3cret>");
    CHECK(line_of(mark + "s3cret\r\nother\r\n") == "<s3cret>");
    CHECK(line_of(mark + "s3crets\r\n") == "its first line is longer than 6 bytes");
    CHECK(line_of(mark + std::string(20000, 'x')) == "its first line is longer than 6 bytes");
    CHECK(line_of(mark + "\n") == "<>");
    CHECK(line_of(mark) == "<>");
  }
  CHECK(line_of("\xEF\xBB\xBF\xEF\xBB\xBF") == "<\xEF\xBB\xBF>");  // one is the limit
  CHECK(line_of("\xEF\xBB") == "<\xEF\xBB>");
}

TEST_CASE("a pipe that does not end is waited for no longer than the patience lasts") {
  Pipe pipe;
  CHECK(error_of(read_file(pipe.path(), 100, kNone)) == "it did not end in time");
  pipe.write("one");
  CHECK(error_of(read_file(pipe.path(), 100, kNone)) == "it did not end in time");
  pipe.write("one");
  CHECK(error_of(read_first_line(pipe.path(), 100, kNone)) == "it did not end in time");
}

TEST_CASE("a FIFO without a writer is not waited for") {
  const TemporaryFile place("");
  REQUIRE(::unlink(place.path().c_str()) == 0);
  REQUIRE(::mkfifo(place.path().c_str(), 0600) == 0);
  CHECK(error_of(read_file(place.path(), 100)) == "a FIFO without a writer");
  CHECK(error_of(read_first_line(place.path(), 100)) == "a FIFO without a writer");
  CHECK(error_of(check_readable(place.path())) == "not a regular file");
}

TEST_CASE("what has no end is read up to the limit") {
  CHECK(error_of(read_file("/dev/zero", 100000)) == "longer than 100000 bytes");
  CHECK(error_of(read_first_line("/dev/zero", 100)) == "its first line is longer than 100 bytes");
  CHECK(error_of(check_readable("/dev/zero")) == "not a regular file");
}

TEST_CASE("a certificate is a regular file of bounded size") {
  const TemporaryFile small("x");
  CHECK(check_readable(small.path()));
  const TemporaryFile large(std::string(kMaxFileBytes + 1, 'x'));
  CHECK(error_of(check_readable(large.path())) == "longer than 1048576 bytes");
  CHECK(error_of(check_readable("/")) == "Is a directory");
  CHECK(error_of(check_readable("/nonexistent")) == "No such file or directory");
}

TEST_CASE("a link to a log file is followed, also where the file is still to be created") {
  std::string folder = "/tmp/sluice-config-XXXXXX";
  REQUIRE(::mkdtemp(folder.data()) != nullptr);
  const std::string link = folder + "/link";
  for (const std::string& target : {folder + "/log", std::string("log")}) {
    REQUIRE(::symlink(target.c_str(), link.c_str()) == 0);
    CHECK(check_appendable(link));
    ::unlink(link.c_str());
  }
  REQUIRE(::symlink("none/log", link.c_str()) == 0);
  CHECK(error_of(check_appendable(link)).find("there is no folder " + folder + "/none;") == 0);
  ::unlink(link.c_str());
  ::rmdir(folder.c_str());
}

}  // namespace sluice::config
