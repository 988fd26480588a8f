// Replaces src/config/file.cc: a fuzzer's paths must not read files of this machine.
#include "config/file.h"

namespace sluice::config {
namespace {

Result<std::string> content_of(const std::string& path) {
  if (path == "/secret") return std::string("a word\r\nand more\n");
  if (path == "/empty") return std::string();
  if (path == "/nul") return std::string("\0word", 5);
  return Error{"No such file or directory"};
}

}  // namespace

Result<std::string> read_file(const std::string& path, std::size_t max_bytes, Duration) {
  auto content = content_of(path);
  if (content && content->size() > max_bytes) return Error{"longer"};
  return content;
}

Result<std::string> read_first_line(const std::string& path, std::size_t max_bytes,
                                    Duration patience) {
  auto content = read_file(path, max_bytes, patience);
  if (!content) return content;
  std::string line = content->substr(0, content->find('\n'));
  if (line.ends_with('\r')) line.pop_back();
  return line;
}

Result<void> check_appendable(const std::string& path) {
  if (path == "/full") return Error{"Permission denied"};
  return {};
}

Result<void> check_readable(const std::string& path) {
  const auto content = content_of(path);
  if (!content) return content.error();
  return {};
}

}  // namespace sluice::config
