// Reads JSON through RapidJSON: reports values as events, as deep as a request's members nest.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace sluice::protocol {

enum class JsonKind { Null, Bool, Number, String, Object, Array };

struct JsonValue {
  JsonKind kind = JsonKind::Null;
  /// String: its decoded bytes; number: its digits as sent; null and bool: the word; else empty.
  std::string_view text = {};
  std::size_t begin = 0;  ///< offset in the source; not set for null and bool
};

/// The offset behind the string that begins at `begin`, quotes included. The string must be
/// complete.
inline std::size_t json_string_end(std::string_view source, std::size_t begin) noexcept {
  std::size_t at = begin + 1;
  while (source[at] != '"') {
    if (source[at] == '\\') ++at;
    ++at;
  }
  return at + 1;
}

/// Receives the events of a JsonReader. `depth` is the number of objects and arrays around a value:
/// 0 for the text's own value, 1 for its members. Texts are valid until the reader's next read().
class JsonEvents {
 public:
  virtual ~JsonEvents() = default;
  /// Discard all earlier events: the text is read (again) from its beginning.
  virtual void on_start() = 0;
  virtual void on_key(std::size_t depth, std::string_view name) = 0;
  /// A value that is no object or array.
  virtual void on_scalar(std::size_t depth, const JsonValue& value) = 0;
  virtual void on_open(std::size_t depth, const JsonValue& container) = 0;
  /// `end` is the offset behind the container.
  virtual void on_close(std::size_t depth, std::size_t end) = 0;
};

/// Reads JSON texts (RFC 8259), reusing its memory. Numbers are reported as their digits, of any
/// size.
class JsonReader {
 public:
  JsonReader();
  ~JsonReader();
  JsonReader(const JsonReader&) = delete;
  JsonReader& operator=(const JsonReader&) = delete;
  JsonReader(JsonReader&&) noexcept;
  JsonReader& operator=(JsonReader&&) noexcept;

  /// Reports what lies less than four levels deep. False: `text` is not exactly one JSON value, or
  /// nested deeper than `max_depth`; fault() says why. What precedes the fault was reported.
  bool read(std::string_view text, std::size_t max_depth, JsonEvents& events);
  std::string fault() const;
  /// Frees the memory of an unusually large text. Invalidates all reported texts.
  void trim();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sluice::protocol
