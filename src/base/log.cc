#include "base/log.h"

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <memory>

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

std::unique_ptr<spdlog::logger> make_logger(const Settings& settings) {
  spdlog::sink_ptr sink;
  if (settings.file.empty()) {
    sink = std::make_shared<spdlog::sinks::stderr_sink_st>();
  } else {
    sink = std::make_shared<spdlog::sinks::basic_file_sink_st>(settings.file);
  }
  sink->set_formatter(make_formatter(settings.format));
  auto logger = std::make_unique<spdlog::logger>("sluice", std::move(sink));
  logger->set_level(to_spdlog(settings.level));
  logger->flush_on(spdlog::level::trace);
  return logger;
}

struct State {
  Settings settings;
  std::unique_ptr<spdlog::logger> logger = make_logger(settings);
};

State& state() {
  static State instance;
  return instance;
}

}  // namespace

Result<void> configure(const Settings& settings) {
  try {
    state().logger = make_logger(settings);
    state().settings = settings;
    return {};
  } catch (const spdlog::spdlog_ex& failure) {
    return Error{fmt::format("log file {}: {}", settings.file, failure.what())};
  }
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
