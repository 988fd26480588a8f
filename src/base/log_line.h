// One line of the log, before it is known where it goes: its level, whom it is about, and how both
// are written.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::log {

enum class Level { Trace, Debug, Info, Warn, Error };

/// The level's name, as in the configuration.
std::string_view to_string(Level level) noexcept;
std::optional<Level> level_of(std::string_view name) noexcept;
/// "trace, debug, info, warn, error"
std::string level_names();

/// Whom a line is about, in the one form in which clients, brokers and slots are named everywhere.
/// It refers to the names it was made with; a line is written at once.
class Subject {
 public:
  Subject() = default;
  /// "client 10.0.0.7:51422 #81": the number tells apart who comes from one address, one after the
  /// other, and those of a Unix socket. Without a peer: "client gone".
  static Subject client(std::string_view peer, std::uint64_t number) noexcept;
  /// "broker o2o"
  static Subject broker(std::string_view name) noexcept;
  /// "broker o2o slot 3": one of the broker's connections
  static Subject slot(std::string_view broker, unsigned slot) noexcept;

  bool is_empty() const noexcept { return kind_ == Kind::None; }
  std::string text() const;
  /// The same as JSON members with a comma behind each.
  std::string members() const;

 private:
  enum class Kind : std::uint8_t { None, Client, Broker, Slot };
  Subject(Kind kind, std::string_view name, std::uint64_t number) noexcept
      : kind_(kind), name_(name), number_(number) {}
  std::string client_name() const;

  Kind kind_ = Kind::None;
  std::string_view name_;
  std::uint64_t number_ = 0;
};

/// "warn  broker o2o: gone", with what a terminal could obey (control characters) made visible.
std::string text_line(Level level, const Subject& about, std::string_view message, bool coloured);
/// `"level":"warn","broker":"o2o","message":"gone"}`: valid JSON whatever bytes the message has;
/// those that are no UTF-8 become U+FFFD. The opening brace and the time are for the caller.
std::string json_line(Level level, const Subject& about, std::string_view message);

}  // namespace sluice::log
