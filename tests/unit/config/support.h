// What the tests of the configuration share: a text in, a Config or the lines of its faults out.
#pragma once

#include <unistd.h>
#include <cstdlib>
#include <fstream>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "catch.h"
#include "config/load.h"

namespace sluice::config {

using Variables = std::map<std::string, std::string>;

inline Loaded parse_text(std::string_view text, const Variables& variables = {},
                         std::uint64_t descriptor_limit = 1048576) {
  const Environment environment = [&](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  };
  return parse(text, "f", environment, descriptor_limit);
}

/// The faults of a text, one a line.
inline std::string faults_of(std::string_view text, const Variables& variables = {}) {
  const Loaded loaded = parse_text(text, variables);
  CHECK(loaded.config.has_value() == loaded.faults.empty());
  std::string lines;
  for (const Fault& fault : loaded.faults)
    lines += fault.text() + "\n";
  return lines;
}

/// A text that must be without faults.
inline Config config_of(std::string_view text, const Variables& variables = {}) {
  Loaded loaded = parse_text(text, variables);
  for (const Fault& fault : loaded.faults)
    UNSCOPED_INFO(fault.text());
  REQUIRE(loaded.config.has_value());
  return std::move(*loaded.config);
}

/// The shortest broker, on lines 1 to 5, with more keys after it.
inline std::string broker_with(std::string_view keys) {
  return "[[broker]]\nname = \"a\"\nurl = \"mqtt://h\"\nmin_dev_no = 0\nmax_dev_no = 10\n" +
         std::string(keys);
}

/// Other tables before the shortest broker.
inline std::string with_broker(std::string_view tables) {
  return std::string(tables) + "\n" + broker_with("");
}

/// A file in the temporary directory, removed with its scope.
class TemporaryFile {
 public:
  explicit TemporaryFile(std::string_view content) {
    std::string name = "/tmp/sluice-config-XXXXXX";
    const int fd = ::mkstemp(name.data());
    REQUIRE(fd >= 0);
    ::close(fd);
    path_ = name;
    std::ofstream(path_, std::ios::binary) << content;
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() { ::unlink(path_.c_str()); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace sluice::config
