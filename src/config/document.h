// A TOML document as a plain tree; each node knows its line and column. The only door to toml++.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace sluice::config {

/// Both counted from 1, columns in characters.
struct Place {
  unsigned line = 1;
  unsigned column = 1;
};

struct Node {
  enum class Kind { Text, Integer, Boolean, Float, Date, List, Table };
  Kind kind = Kind::Table;
  Place place;       ///< of the value
  std::string key;   ///< in a table: its name there
  Place key_place;   ///< in a table
  std::string text;  ///< Kind::Text
  std::int64_t integer = 0;
  bool boolean = false;
  std::vector<Node> children;  ///< of a List or a Table

  /// A table's member, or null.
  const Node* find(std::string_view name) const noexcept;
};

struct SyntaxError {
  Place place;
  std::string what;
};

/// The document's root table, or why there is none: it is not TOML, or nested too deeply.
std::variant<Node, SyntaxError> read_document(std::string_view text);

}  // namespace sluice::config
