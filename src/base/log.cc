#include "base/log.h"

#include <spdlog/details/null_mutex.h>
#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>

#include "base/log_file.h"

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

/// The message as the inside of a JSON string: quotes, backslashes and control characters escaped.
class JsonText final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&,
              spdlog::memory_buf_t& out) override {
    for (const char c : message.payload) {
      const auto byte = static_cast<unsigned char>(c);
      if (c == '"' || c == '\\') {
        out.push_back('\\');
        out.push_back(c);
      } else if (byte < 0x20) {
        fmt::format_to(std::back_inserter(out), "\\u{:04x}", byte);
      } else {
        out.push_back(c);
      }
    }
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<JsonText>();
  }
};

std::unique_ptr<spdlog::formatter> make_formatter(Format format) {
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  if (format == Format::Json) {
    formatter->add_flag<JsonText>('*');
    formatter->set_pattern(R"({"time":"%Y-%m-%dT%H:%M:%S.%e%z","level":"%l","message":"%*"})");
  } else {
    formatter->set_pattern("%Y-%m-%d %H:%M:%S.%e %-5l %v");
  }
  return formatter;
}

/// A full disk costs lines, never the service. That lines are lost is said once on standard error,
/// and how many were in the file as soon as it takes lines again.
class FileSink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  FileSink(std::string path, LogFile file) : path_(std::move(path)), file_(std::move(file)) {}

 private:
  using Message = spdlog::details::log_msg;

  void sink_it_(const Message& message) override {
    if (lost_ > 0 && !say_lost()) {
      ++lost_;
      return;
    }
    if (append(message) || lost_++ > 0) return;
    const std::string what = fmt::format("log file {}: {}; lines are lost until it can be written",
                                         path_, std::strerror(errno));
    const auto line = line_of({message.logger_name, spdlog::level::err, what});
    (void)std::fwrite(line.data(), 1, line.size(), stderr);
  }
  bool say_lost() {
    const std::string what = fmt::format("{} lines are lost: the file could not be written", lost_);
    if (!append({"", spdlog::level::warn, what})) return false;
    lost_ = 0;
    return true;
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

  const std::string path_;
  LogFile file_;
  std::uint64_t lost_ = 0;  // lines since one was written last
};

std::unique_ptr<spdlog::logger> make_logger(const Settings& settings, spdlog::sink_ptr sink) {
  sink->set_formatter(make_formatter(settings.format));
  auto logger = std::make_unique<spdlog::logger>("sluice", std::move(sink));
  logger->set_level(to_spdlog(settings.level));
  logger->flush_on(spdlog::level::trace);
  return logger;
}

struct State {
  Settings settings;
  std::unique_ptr<spdlog::logger> logger =
      make_logger(settings, std::make_shared<spdlog::sinks::stderr_sink_st>());
};

State& state() {
  static State instance;
  return instance;
}

}  // namespace

Result<void> configure(const Settings& settings) {
  spdlog::sink_ptr sink;
  if (settings.file.empty()) {
    sink = std::make_shared<spdlog::sinks::stderr_sink_st>();
  } else {
    auto file = LogFile::open(settings.file);
    if (!file) return file.error();
    sink = std::make_shared<FileSink>(settings.file, std::move(file).value());
  }
  state().logger = make_logger(settings, std::move(sink));
  state().settings = settings;
  return {};
}

Result<void> reopen() {
  if (state().settings.file.empty()) return {};
  return configure(Settings(state().settings));
}

bool is_enabled(Level level) noexcept {
  return state().logger->should_log(to_spdlog(level));
}

void write(Level level, std::string_view line) noexcept {
  state().logger->log(to_spdlog(level), line);
}

}  // namespace sluice::log
