// One pass from left to right, so that a variable's value is never substituted again.
#include "config/environment.h"

#include "config/text.h"

namespace sluice::config {
namespace {

bool is_variable_name(std::string_view name) {
  constexpr std::string_view kAllowed =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
  if (name.empty() || (name.front() >= '0' && name.front() <= '9')) return false;
  return name.find_first_not_of(kAllowed) == std::string_view::npos;
}

bool is_usual_name(std::string_view name) {
  constexpr std::string_view kUsual = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
  return is_variable_name(name) && name.find_first_not_of(kUsual) == std::string_view::npos;
}

/// `inside` is what stands between the braces.
Result<std::string> look_up(std::string_view inside, const Environment& environment,
                            NamesShown shown) {
  const std::size_t mark = inside.find(":-");
  const std::string name(inside.substr(0, mark));
  const bool is_shown = shown == NamesShown::All || is_usual_name(name);
  if (!is_variable_name(name)) {
    return Error{
        "expected ${NAME} or ${NAME:-fallback} (and $${ for the characters themselves), "
        "found " +
        (is_shown ? "a variable called " + quoted(name) : std::string("another name"))};
  }
  auto value = environment(name);
  const bool has_fallback = mark != std::string_view::npos;
  if (has_fallback && (!value || value->empty())) return std::string(inside.substr(mark + 2));
  if (!value && !is_shown) {
    return Error{
        "the environment variable named there is not set; $${ stands for the characters "
        "themselves"};
  }
  if (!value) {
    return Error{"the environment variable " + name + " is not set, and there is no fallback: ${" +
                 name + ":-fallback}"};
  }
  return *std::move(value);
}

}  // namespace

Result<std::string> substitute(std::string_view text, const Environment& environment,
                               NamesShown shown) {
  std::string result;
  while (!text.empty()) {
    const std::size_t open = text.find("${");
    if (open == std::string_view::npos) break;
    if (open > 0 && text[open - 1] == '$') {
      result += text.substr(0, open - 1);
      result += "${";
      text.remove_prefix(open + 2);
      continue;
    }
    result += text.substr(0, open);
    text.remove_prefix(open + 2);
    const std::size_t close = text.find('}');
    if (close == std::string_view::npos)
      return Error{"expected a } after ${ (and $${ for the characters themselves)"};
    auto value = look_up(text.substr(0, close), environment, shown);
    if (!value) return value;
    result += value.value();
    text.remove_prefix(close + 1);
  }
  result += text;
  return result;
}

bool is_one_variable(std::string_view text) noexcept {
  return text.starts_with("${") && text.find('}') == text.size() - 1;
}

}  // namespace sluice::config
