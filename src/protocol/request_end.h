// What a client may put behind each request besides white space: `[server] request_end`.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace sluice::protocol {

/// A short text, or none. Changes by assignment, also while readers refer to it.
class RequestEnd {
 public:
  static constexpr std::size_t kMaxBytes = 16;

  RequestEnd() noexcept = default;
  /// `text` has at most kMaxBytes. White space around it is left out: it is skipped anyway.
  explicit RequestEnd(std::string_view text) noexcept;

  std::string_view text() const noexcept { return {text_.data(), size_}; }
  bool is_set() const noexcept { return size_ > 0; }
  /// `piece` begins with the whole text.
  bool begins(std::string_view piece) const noexcept {
    return is_set() && piece.starts_with(text());
  }
  /// Searches for the text byte by byte: `matched` is the result for the bytes before `next`, 0 at
  /// first, and the result is the number of bytes of the text that the input now ends with.
  std::size_t advance(std::size_t matched, char next) const noexcept {
    return is_set() ? longest_match(matched, next) : 0;
  }
  /// The result of advance() means that the whole text was found.
  bool is_whole(std::size_t matched) const noexcept { return is_set() && matched == size_; }

 private:
  std::size_t longest_match(std::size_t matched, char next) const noexcept;

  std::array<char, kMaxBytes> text_{};
  std::size_t size_ = 0;
};

/// For readers without a request_end.
inline constexpr RequestEnd kNoRequestEnd;

}  // namespace sluice::protocol
