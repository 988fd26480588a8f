// Formats one log line, as text or JSON: level, subject, message.
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

/// The subject of a line: a client, a broker or a slot, named the same way everywhere. Refers to
/// the names it was made with, so it is not kept.
class Subject {
 public:
  Subject() = default;
  /// "client 10.0.0.7:51422 #81": the number tells apart successive connections from one
  /// address, and those of a Unix socket. Without a peer: "client gone".
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

/// Appends `text` with control characters, which a terminal could obey, as \xNN.
void append_visible(std::string& out, std::string_view text);

/// "warn  broker o2o: gone", with control characters, which a terminal could obey, escaped.
std::string text_line(Level level, const Subject& about, std::string_view message, bool coloured);
/// `"level":"warn","broker":"o2o","message":"gone"}`: valid JSON whatever bytes the message has;
/// those that are no UTF-8 become U+FFFD. The opening brace and the time are for the caller.
std::string json_line(Level level, const Subject& about, std::string_view message);

}  // namespace sluice::log
