// Which known name a misspelled one probably means.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sluice::config {

/// At most this many are named as near.
inline constexpr std::size_t kMostNear = 5;

/// Those of `known` that say the same, begin with `name`, or hold it or are held in it, whatever
/// the case and the marks between words: of these kinds the first that has any.
std::vector<std::string> related(std::string_view name, const std::vector<std::string>& known);

/// The one of `known` that takes the fewest changes to become; there must be one.
const std::string& least_distant(std::string_view name, const std::vector<std::string>& known);

/// The same, if these are few for a name of that length.
std::vector<std::string> misspelled(std::string_view name, const std::vector<std::string>& known);

/// Those that have the most words in common with `name`, if any word.
std::vector<std::string> of_same_words(std::string_view name,
                                       const std::vector<std::string>& known);

/// What of `known` is nearest: related, else misspelled. May be empty.
std::vector<std::string> nearest(std::string_view name, const std::vector<std::string>& known);

/// How many characters must be added, dropped or replaced to turn one text into the other.
std::size_t edit_distance(std::string_view a, std::string_view b);

}  // namespace sluice::config
