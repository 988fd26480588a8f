// Reads the keys of one TOML table into the fields of a struct. One call for each key names it and
// gives its type, bounds and target; finish() reports the keys that no call has asked for.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "config/document.h"
#include "config/environment.h"

namespace sluice::config {

/// A fault before it is given its file name.
struct Finding {
  Place place;
  std::string what;
};

/// A key that no getter asked for.
struct UnknownKey {
  Place place;
  std::string label;  ///< the table's name in messages, empty for the root
  std::string key;
  bool is_table = false;
  std::vector<std::string> neighbours;  ///< the keys its table knows
};

/// What all sections of one document share.
struct Reading {
  const Environment& environment;
  std::vector<Finding> findings;
  std::vector<UnknownKey> unknown;
  std::vector<std::string> known;  ///< every key asked for, dotted: "broker.tls.ca"
};

/// Both ends included.
struct Range {
  std::int64_t min;
  std::int64_t max;
};

/// A string of a list, after substitution.
struct ListItem {
  Place place;
  std::string text;
};

inline constexpr std::string_view kPlainName = "letters, digits, \".\", \"_\" and \"-\" only";

/// One table, which may be absent: then every key keeps its default. The getters leave the target
/// alone, and answer false, where the key is absent or faulty; a faulty one is reported at once.
class Section {
 public:
  /// `table` is null for a table the document does not have; `path` is its dotted name.
  Section(Reading& reading, const Node* table, std::string path, Place place);

  /// How faults call this section from here on, e.g. "broker[o2o]". Tables below inherit it.
  void set_label(std::string label) { label_ = std::move(label); }

  /// The named tables below.
  Section table(std::string_view key);
  std::vector<Section> tables(std::string_view key);

  bool text(std::string_view key, std::string& target, std::size_t max_bytes = 4096);
  /// As text(), for a value that no message may show.
  bool secret(std::string_view key, std::string& target, std::size_t max_bytes);
  bool flag(std::string_view key, bool& target);
  /// A list of strings; a string is a list of one.
  bool list(std::string_view key, std::vector<ListItem>& target);

  template <class T>
  bool number(std::string_view key, T& target, Range range) {
    const auto found = integer(key, range, {});
    if (found) target = static_cast<T>(*found);
    return found.has_value();
  }
  /// A number of `unit`s.
  template <class Unit>
  bool duration(std::string_view key, Duration& target, Range range) {
    const auto found = integer(key, range, {});
    if (found) target = std::chrono::duration_cast<Duration>(Unit(*found));
    return found.has_value();
  }
  /// A number, or the word that stands for nothing.
  bool number_or(std::string_view key, std::optional<unsigned>& target, Range range,
                 std::string_view word);

  template <class T>
  bool choice(std::string_view key, T& target,
              std::initializer_list<std::pair<std::string_view, T>> choices) {
    std::vector<std::string_view> words;
    for (const auto& [word, value] : choices)
      words.push_back(word);
    const auto index = word_index(key, words);
    if (index) target = (choices.begin() + *index)->second;
    return index.has_value();
  }

  /// A fault if `found` has anything but kPlainName.
  void expect_plain_name(std::string_view key, std::string_view found);
  /// A fault if the key is absent; `expected` says what belongs there.
  void require(std::string_view key, std::string_view expected);
  /// A fault of this key, at its value, or at the table if it is absent. It is invalid from now on.
  void fault(std::string_view key, std::string_view what);
  /// The same, at another place.
  void fault_at(Place place, std::string_view key, std::string_view what);
  bool is_given(std::string_view key) const noexcept;
  /// Where the key's value stands, or the table if it is absent.
  Place place_of(std::string_view key) const noexcept;
  /// No fault was found in any of the keys.
  bool is_valid(std::initializer_list<std::string_view> keys) const noexcept;
  /// Collects the unknown keys. After the last getter.
  void finish();

 private:
  enum class Shown { Yes, No };
  const Node* value(std::string_view key);
  std::string name_of(std::string_view key) const;
  void wrong(std::string_view key, const Node& node, std::string_view expected,
             Shown shown = Shown::Yes);
  std::optional<std::string> substituted(std::string_view key, const Node& node,
                                         Shown shown = Shown::Yes);
  bool bounded_text(std::string_view key, std::string& target, std::size_t max_bytes, Shown shown);
  std::optional<std::int64_t> integer(std::string_view key, Range range,
                                      std::string_view alternative);
  std::optional<std::ptrdiff_t> word_index(std::string_view key,
                                           const std::vector<std::string_view>& words);

  Reading& reading_;
  const Node* table_;
  std::string path_;
  std::string label_;
  Place place_;
  std::vector<std::string> keys_;
  std::vector<std::string> invalid_keys_;
};

}  // namespace sluice::config
