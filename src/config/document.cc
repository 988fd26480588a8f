// The only file that knows toml++, which throws: nothing it throws leaves read_document().
#include "config/document.h"

#include <toml++/toml.h>

#include <algorithm>
#include <utility>

#include "base/ascii.h"
#include "config/nesting.h"
#include "config/syntax_hint.h"
#include "config/text.h"

namespace sluice::config {
namespace {

Place place_of(const toml::source_region& region) {
  return {static_cast<unsigned>(region.begin.line), static_cast<unsigned>(region.begin.column)};
}

std::string_view line_at(std::string_view text, unsigned number) {
  for (unsigned line = 1; line < number && text.find('\n') != text.npos; ++line)
    text.remove_prefix(text.find('\n') + 1);
  return text.substr(0, text.find('\n'));
}

/// toml++ counts the end of a text as a column of its last line, even behind that line's newline:
/// a place beyond a line's end becomes the one right behind its last character.
Place within(std::string_view text, Place place) {
  const std::string_view line = line_at(text, place.line);
  const auto characters = std::count_if(line.begin(), line.end(), [](char byte) {
    return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U;  // no UTF-8 continuation byte
  });
  place.column = std::min(place.column, static_cast<unsigned>(characters) + 1);
  return place;
}

/// toml++ quotes numbers that it cannot read: 'NUMBER' may be a password without its quotes.
std::string without_numbers(std::string_view description) {
  std::string result;
  while (!description.empty()) {
    const std::size_t open = description.find('\'');
    const std::size_t close =
        open == std::string_view::npos ? open : description.find('\'', open + 1);
    if (close == std::string_view::npos) break;
    const std::string_view quoted = description.substr(open + 1, close - open - 1);
    const bool is_number = quoted.size() > 1 && is_digit(quoted.front());
    result += description.substr(0, is_number ? open : close);
    if (is_number) result += "the number";
    description.remove_prefix(is_number ? close + 1 : close);
  }
  return result.append(description);
}

Node convert(const toml::node& source);

void add_children(Node& node, const toml::table& table) {
  for (auto&& [key, value] : table) {
    Node child = convert(value);
    child.key = key.str();
    child.key_place = place_of(key.source());
    node.children.push_back(std::move(child));
  }
}

void add_children(Node& node, const toml::array& list) {
  for (auto&& value : list)
    node.children.push_back(convert(value));
}

Node convert(const toml::node& source) {
  Node node;
  node.place = place_of(source.source());
  if (const auto* table = source.as_table()) {
    add_children(node, *table);
  } else if (const auto* list = source.as_array()) {
    node.kind = Node::Kind::List;
    add_children(node, *list);
  } else if (const auto* text = source.as_string()) {
    node.kind = Node::Kind::Text;
    node.text = text->get();
  } else if (const auto* integer = source.as_integer()) {
    node.kind = Node::Kind::Integer;
    node.integer = integer->get();
  } else if (const auto* boolean = source.as_boolean()) {
    node.kind = Node::Kind::Boolean;
    node.boolean = boolean->get();
  } else {
    node.kind = source.is_floating_point() ? Node::Kind::Float : Node::Kind::Date;
  }
  return node;
}

}  // namespace

const Node* Node::find(std::string_view name) const noexcept {
  for (const Node& child : children) {
    if (child.key == name) return &child;
  }
  return nullptr;
}

std::variant<Node, SyntaxError> read_document(std::string_view text) {
  if (auto too_deep = find_too_deep(text)) return std::move(*too_deep);
  try {
    return convert(toml::parse(text));
  } catch (const toml::parse_error& error) {
    const Place place = within(text, place_of(error.source()));
    std::string what = "not TOML: " + on_one_line(without_numbers(error.description()));
    const std::string hint = syntax_hint(line_at(text, place.line));
    if (!hint.empty()) what += "; " + hint;
    return SyntaxError{place, std::move(what)};
  }
}

}  // namespace sluice::config
