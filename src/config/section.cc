// Converts values to numbers, texts and words, and words the faults.
#include "config/section.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "base/ascii.h"
#include "base/utf8.h"
#include "config/text.h"
#include "config/unknown_keys.h"

namespace sluice::config {
namespace {

std::string describe(const Node& node, bool shown) {
  switch (node.kind) {
    case Node::Kind::Text:
      return shown ? quoted(node.text) : "a string";
    case Node::Kind::Integer:
      return shown ? std::to_string(node.integer) : "an integer";
    case Node::Kind::Boolean:
      return node.boolean ? "true" : "false";
    case Node::Kind::Float:
      return "a number with a fraction";
    case Node::Kind::Date:
      return "a date or a time";
    case Node::Kind::List:
      return "a list";
    case Node::Kind::Table:
      return "a table";
  }
  return "something else";
}

/// A table or a list of tables.
bool is_table(const Node& node) {
  if (node.kind == Node::Kind::List && !node.children.empty()) return is_table(node.children[0]);
  return node.kind == Node::Kind::Table;
}

bool contains(const std::vector<std::string>& list, std::string_view key) {
  return std::find(list.begin(), list.end(), key) != list.end();
}

}  // namespace

Section::Section(Reading& reading, const Node* table, std::string path, Place place)
    : reading_(reading),
      table_(table),
      path_(std::move(path)),
      label_(path_),
      place_(table != nullptr ? table->place : place) {}

std::string Section::name_of(std::string_view key) const {
  return dotted(label_, key);
}

const Node* Section::value(std::string_view key) {
  if (!contains(keys_, key)) {
    keys_.emplace_back(key);
    reading_.known.push_back(dotted(path_, key));
  }
  return table_ == nullptr ? nullptr : table_->find(key);
}

Section Section::table(std::string_view key) {
  keys_.emplace_back(key);
  const Node* node = table_ == nullptr ? nullptr : table_->find(key);
  if (node != nullptr && node->kind != Node::Kind::Table) {
    wrong(key, *node, fmt::format("a table: [{}]", dotted(path_, key)));
    node = nullptr;
  }
  Section below(reading_, node, dotted(path_, key), place_);
  below.set_label(name_of(key));
  return below;
}

std::vector<Section> Section::tables(std::string_view key) {
  keys_.emplace_back(key);
  const Node* node = table_ == nullptr ? nullptr : table_->find(key);
  std::vector<Section> result;
  if (node == nullptr) return result;
  const std::string expected = fmt::format("a list of tables: [[{}]]", dotted(path_, key));
  if (node->kind != Node::Kind::List) {
    wrong(key, *node, expected);
    return result;
  }
  for (const Node& item : node->children) {
    if (item.kind == Node::Kind::Table) {
      result.emplace_back(reading_, &item, dotted(path_, key), item.place);
    } else {
      fault_at(item.place, key,
               fmt::format("expected {}, found {}", expected, describe(item, true)));
    }
  }
  return result;
}

void Section::wrong(std::string_view key, const Node& node, std::string_view expected,
                    Shown shown) {
  fault_at(node.place, key,
           fmt::format("expected {}, found {}", expected, describe(node, shown == Shown::Yes)));
}

void Section::fault_at(Place place, std::string_view key, std::string_view what) {
  invalid_keys_.emplace_back(key);
  reading_.findings.push_back({place, fmt::format("{}: {}", name_of(key), what)});
}

void Section::fault(std::string_view key, std::string_view what) {
  fault_at(place_of(key), key, what);
}

Place Section::place_of(std::string_view key) const noexcept {
  const Node* node = table_ == nullptr ? nullptr : table_->find(key);
  return node == nullptr ? place_ : node->place;
}

void Section::expect_plain_name(std::string_view key, std::string_view found) {
  if (is_plain_name(found)) return;
  fault(key, fmt::format("expected {}, found {}", kPlainName, quoted(found)));
}

void Section::require(std::string_view key, std::string_view expected) {
  if (!is_given(key)) fault_at(place_, key, fmt::format("missing; expected {}", expected));
}

bool Section::is_given(std::string_view key) const noexcept {
  return table_ != nullptr && table_->find(key) != nullptr;
}

bool Section::is_valid(std::initializer_list<std::string_view> keys) const noexcept {
  return std::none_of(keys.begin(), keys.end(),
                      [this](std::string_view key) { return contains(invalid_keys_, key); });
}

void Section::finish() {
  if (table_ == nullptr) return;
  for (const Node& child : table_->children) {
    if (!contains(keys_, child.key))
      reading_.unknown.push_back({child.key_place, label_, child.key, is_table(child), keys_});
  }
}

/// The string of a Kind::Text node with its variables replaced; a fault where that fails.
std::optional<std::string> Section::substituted(std::string_view key, const Node& node,
                                                Shown shown) {
  auto text = substitute(node.text, reading_.environment,
                         shown == Shown::Yes ? NamesShown::All : NamesShown::Usual);
  if (text) return std::move(text).value();
  fault_at(node.place, key, text.error().what);
  return std::nullopt;
}

bool Section::bounded_text(std::string_view key, std::string& target, std::size_t max_bytes,
                           Shown shown) {
  const Node* node = value(key);
  if (node == nullptr) return false;
  if (node->kind != Node::Kind::Text) {
    wrong(key, *node, "a string", shown);
    return false;
  }
  auto text = substituted(key, *node, shown);
  if (!text) return false;
  // TOML itself is UTF-8; what the environment adds need not be.
  if (!is_utf8(*text) || text->find('\0') != std::string::npos) {
    fault_at(node->place, key, "expected UTF-8 without U+0000, found other bytes");
    return false;
  }
  if (text->size() > max_bytes) {
    fault_at(node->place, key,
             fmt::format("expected at most {} bytes, found {}", max_bytes, text->size()));
    return false;
  }
  target = std::move(*text);
  return true;
}

bool Section::text(std::string_view key, std::string& target, std::size_t max_bytes) {
  return bounded_text(key, target, max_bytes, Shown::Yes);
}

bool Section::secret(std::string_view key, std::string& target, std::size_t max_bytes) {
  return bounded_text(key, target, max_bytes, Shown::No);
}

bool Section::flag(std::string_view key, bool& target) {
  const Node* node = value(key);
  if (node == nullptr) return false;
  if (node->kind == Node::Kind::Boolean) {
    target = node->boolean;
    return true;
  }
  if (node->kind != Node::Kind::Text || !is_one_variable(node->text)) {
    wrong(key, *node, "true or false");
    return false;
  }
  const auto text = substituted(key, *node);
  if (!text) return false;
  if (*text != "true" && *text != "false") {
    fault_at(node->place, key, fmt::format("expected true or false, found {}", quoted(*text)));
    return false;
  }
  target = *text == "true";
  return true;
}

bool Section::list(std::string_view key, std::vector<ListItem>& target) {
  const Node* node = value(key);
  if (node == nullptr) return false;
  const bool is_one = node->kind == Node::Kind::Text;
  if (!is_one && node->kind != Node::Kind::List) {
    wrong(key, *node, "a list of strings");
    return false;
  }
  std::vector<ListItem> items;
  for (const Node& item : is_one ? std::span(node, 1) : std::span(node->children)) {
    if (item.kind != Node::Kind::Text) {
      wrong(key, item, "a list of strings");
      continue;
    }
    auto text = substituted(key, item);
    if (text) items.push_back({item.place, std::move(*text)});
  }
  target = std::move(items);
  return is_valid({key});
}

std::optional<std::int64_t> Section::integer(std::string_view key, Range range,
                                             std::string_view alternative) {
  const Node* node = value(key);
  if (node == nullptr) return std::nullopt;
  const std::string expected =
      fmt::format("{}an integer from {} to {}", alternative, range.min, range.max);
  std::optional<std::int64_t> number;
  std::string found = describe(*node, true);
  if (node->kind == Node::Kind::Integer) {
    number = node->integer;
  } else if (node->kind == Node::Kind::Text && is_one_variable(node->text)) {
    const auto text = substituted(key, *node);
    if (!text) return std::nullopt;
    number = to_integer<std::int64_t>(*text);
    found = quoted(*text);
  }
  if (number && *number >= range.min && *number <= range.max) return number;
  fault_at(node->place, key, fmt::format("expected {}, found {}", expected, found));
  return std::nullopt;
}

bool Section::number_or(std::string_view key, std::optional<unsigned>& target, Range range,
                        std::string_view word) {
  const Node* node = value(key);
  if (node != nullptr && node->kind == Node::Kind::Text) {
    const auto text = substitute(node->text, reading_.environment);
    if (text && text.value() == word) {
      target.reset();
      return true;
    }
  }
  const auto number = integer(key, range, fmt::format("\"{}\" or ", word));
  if (number) target = static_cast<unsigned>(*number);
  return number.has_value();
}

std::optional<std::ptrdiff_t> Section::word_index(std::string_view key,
                                                  const std::vector<std::string_view>& words) {
  const Node* node = value(key);
  if (node == nullptr) return std::nullopt;
  const std::string expected = fmt::format("\"{}\"", fmt::join(words, "\" or \""));
  if (node->kind != Node::Kind::Text) {
    wrong(key, *node, expected);
    return std::nullopt;
  }
  const auto text = substituted(key, *node);
  if (!text) return std::nullopt;
  const auto at = std::find(words.begin(), words.end(), *text);
  if (at != words.end()) return at - words.begin();
  fault_at(node->place, key, fmt::format("expected {}, found {}", expected, quoted(*text)));
  return std::nullopt;
}

}  // namespace sluice::config
