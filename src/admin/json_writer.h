// Writes JSON piece by piece and places the commas; nesting is up to the caller.
#pragma once

#include <fmt/format.h>

#include <iterator>
#include <string>
#include <string_view>

#include "base/json_text.h"

namespace sluice::admin {

/// A key is required inside an object, and left out inside an array.
class JsonWriter {
 public:
  void open_object(std::string_view key = {}) { open(key, '{'); }
  void close_object() { close('}'); }
  void open_array(std::string_view key = {}) { open(key, '['); }
  void close_array() { close(']'); }

  void text(std::string_view key, std::string_view value) {
    begin(key);
    append_json_string(value, out_);
  }
  void boolean(std::string_view key, bool value) {
    begin(key);
    out_ += value ? "true" : "false";
  }
  /// Finite numbers only: JSON has no others.
  template <class Number>
  void number(std::string_view key, Number value) {
    begin(key);
    fmt::format_to(std::back_inserter(out_), "{}", value);
  }
  void null(std::string_view key) {
    begin(key);
    out_ += "null";
  }

  std::string take() { return std::move(out_); }

 private:
  void begin(std::string_view key) {
    if (needs_comma_) out_ += ',';
    needs_comma_ = true;
    if (key.empty()) return;
    append_json_string(key, out_);
    out_ += ':';
  }
  void open(std::string_view key, char bracket) {
    begin(key);
    out_ += bracket;
    needs_comma_ = false;
  }
  void close(char bracket) {
    out_ += bracket;
    needs_comma_ = true;
  }

  std::string out_;
  bool needs_comma_ = false;
};

}  // namespace sluice::admin
