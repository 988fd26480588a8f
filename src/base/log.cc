#include "base/log.h"

#include <spdlog/details/null_mutex.h>
#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "base/log_file.h"
#include "base/plural.h"

namespace sluice::log {
namespace {

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::Trace:
      return spdlog::level::trace;
    case Level::Debug:
      return spdlog::level::debug;
    case Level::Info:
      return spdlog::level::info;
    case Level::Warn:
      return spdlog::level::warn;
    case Level::Error:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

/// The line after its time stamp.
std::string render(Format format, bool coloured, Level level, const Subject& about,
                   std::string_view message) {
  if (format == Format::Json) return json_line(level, about, message);
  return text_line(level, about, message, coloured);
}

std::unique_ptr<spdlog::formatter> make_formatter(Format format) {
  return std::make_unique<spdlog::pattern_formatter>(format == Format::Json
                                                         ? R"({"time":"%Y-%m-%dT%H:%M:%S.%e%z",%v)"
                                                         : "%Y-%m-%d %H:%M:%S.%e %v");
}

std::uint64_t total_lost = 0;

/// Where a line cannot be written (a full disk, a reader that stalls) it is dropped and the service
/// goes on. The first one that a file loses is reported on standard error, their number wherever
/// they go as soon as that can be written.
class LineSink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  LineSink(const Settings& settings, LogFile file)
      : path_(settings.file), format_(settings.format), file_(std::move(file)) {}

  /// Lines lost so far are reported in the new file.
  void replace_file(LogFile file) noexcept { file_ = std::move(file); }

 private:
  using Message = spdlog::details::log_msg;

  void sink_it_(const Message& message) override {
    if ((lost_ == 0 || report_lost()) && append(message)) return;
    const int why = errno;
    ++total_lost;
    if (lost_++ == 0 && !path_.empty()) announce_loss(why);
  }
  bool report_lost() {
    const std::string text =
        own_text(Level::Warn, fmt::format("{} lost: {} could not be written", plural(lost_, "line"),
                                          path_.empty() ? "standard error" : "the file"));
    if (!append({"", spdlog::level::warn, text})) return false;
    lost_ = 0;
    return true;
  }
  void announce_loss(int why) {
    const std::string text = own_text(
        Level::Error, fmt::format("log file {}: {}; lines are lost until it can be written", path_,
                                  std::strerror(why)));
    const auto line = line_of({"", spdlog::level::err, text});
    (void)LogFile::standard_error().append({line.data(), line.size()});
  }
  std::string own_text(Level level, std::string_view what) const {
    return render(format_, false, level, {}, what);
  }
  bool append(const Message& message) {
    const auto line = line_of(message);
    return file_.append({line.data(), line.size()});
  }
  spdlog::memory_buf_t line_of(const Message& message) {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    return line;
  }
  void flush_() override {}

  const std::string path_;  // empty: standard error
  const Format format_;
  LogFile file_;
  std::uint64_t lost_ = 0;  // since the latest line that was written
};

std::unique_ptr<spdlog::logger> make_logger(const Settings& settings, spdlog::sink_ptr sink) {
  sink->set_formatter(make_formatter(settings.format));
  auto logger = std::make_unique<spdlog::logger>("sluice", std::move(sink));
  logger->set_level(to_spdlog(settings.level));
  logger->flush_on(spdlog::level::trace);
  return logger;
}

std::string_view variable(const char* name) noexcept {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string_view() : value;
}

/// https://no-color.org; without TERM the terminal is taken to have no colours.
bool wants_colour() noexcept {
  const std::string_view terminal = variable("TERM");
  return ::isatty(STDERR_FILENO) == 1 && variable("NO_COLOR").empty() && !terminal.empty() &&
         terminal != "dumb";
}

struct State {
  Settings settings;
  bool coloured = wants_colour();
  std::shared_ptr<LineSink> sink = std::make_shared<LineSink>(settings, LogFile::standard_error());
  std::unique_ptr<spdlog::logger> logger = make_logger(settings, sink);
};

State& state() {
  static State instance;
  return instance;
}

}  // namespace

Result<void> configure(const Settings& settings) {
  auto file =
      settings.file.empty() ? Result(LogFile::standard_error()) : LogFile::open(settings.file);
  if (!file) return file.error();
  State& now = state();
  now.sink = std::make_shared<LineSink>(settings, std::move(file).value());
  now.logger = make_logger(settings, now.sink);
  now.settings = settings;
  now.coloured = settings.file.empty() && wants_colour();
  return {};
}

Result<void> reopen() {
  State& now = state();
  if (now.settings.file.empty()) return {};
  auto file = LogFile::open(now.settings.file);
  if (!file) return file.error();
  now.sink->replace_file(std::move(file).value());
  return {};
}

std::uint64_t lines_lost() noexcept {
  return total_lost;
}

const std::string& file() noexcept {
  return state().settings.file;
}

bool is_enabled(Level level) noexcept {
  return state().logger->should_log(to_spdlog(level));
}

void write(Level level, const Subject& about, std::string_view message) noexcept {
  State& now = state();
  now.logger->log(to_spdlog(level),
                  render(now.settings.format, now.coloured, level, about, message));
}

}  // namespace sluice::log
