// The door to the JSON parser: what a text holds, told as events down to a request's depth.
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
  std::size_t begin = 0;  ///< where it begins in the source; not told of null and bool
};

/// Where the source goes on behind the whole string that begins at `begin`, quotes included.
inline std::size_t json_string_end(std::string_view source, std::size_t begin) noexcept {
  std::size_t at = begin + 1;
  while (source[at] != '"') {
    if (source[at] == '\\') ++at;
    ++at;
  }
  return at + 1;
}

/// Who listens to a JsonReader. `depth` is the number of objects and arrays around a value: 0 for
/// the text's own value, 1 for its members. Texts live until the reader's next read().
class JsonEvents {
 public:
  virtual ~JsonEvents() = default;
  /// Forget all that was told: the text is read (again) from its beginning.
  virtual void on_start() = 0;
  virtual void on_key(std::size_t depth, std::string_view name) = 0;
  /// A value that is no object or array.
  virtual void on_scalar(std::size_t depth, const JsonValue& value) = 0;
  virtual void on_open(std::size_t depth, const JsonValue& container) = 0;
  /// `end` is where the source goes on behind the container.
  virtual void on_close(std::size_t depth, std::size_t end) = 0;
};

/// Reads JSON texts (RFC 8259), reusing its memory. Numbers keep their digits, whatever their size.
class JsonReader {
 public:
  JsonReader();
  ~JsonReader();
  JsonReader(const JsonReader&) = delete;
  JsonReader& operator=(const JsonReader&) = delete;
  JsonReader(JsonReader&&) noexcept;
  JsonReader& operator=(JsonReader&&) noexcept;

  /// Tells `events` of all in `text` that lies less than four levels deep. False: it is not exactly
  /// one JSON value, or nested deeper than `max_depth`, and fault() says why; what stands before
  /// the fault was told.
  bool read(std::string_view text, std::size_t max_depth, JsonEvents& events);
  std::string fault() const;
  /// Gives memory back that an unusually large text has left. Ends the life of all texts told.
  void trim();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sluice::protocol
