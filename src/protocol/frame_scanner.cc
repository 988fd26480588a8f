#include "protocol/frame_scanner.h"

#include <algorithm>

#include "base/ascii.h"
#include "base/http_words.h"
#include "protocol/white_space.h"

namespace sluice::protocol {
namespace {

constexpr std::string_view kBom = "\xEF\xBB\xBF";
constexpr std::size_t kHeaderBytes = 4;
/// What a ClientHello begins with: a handshake record of version 3.1 or 3.3.
constexpr std::array<std::string_view, 2> kTls = {"\x16\x03\x01", "\x16\x03\x03"};

bool ends_garbage(char byte) noexcept {
  return byte == '\n' || byte == '\0';
}

}  // namespace

bool FrameScanner::is_inside() const noexcept {
  switch (state_) {
    case State::Object:
    case State::Line:
    case State::Body:
      return true;
    case State::Header:
      return size_ > 0;
    case State::Start:
    case State::Between:
    case State::SkipObject:
    case State::SkipLine:
    case State::Prefix:
    case State::Ended:
      return false;
  }
  return false;
}

FrameScanner::Step FrameScanner::step(std::string_view piece) noexcept {
  Step whole;
  while (whole.used < piece.size() && whole.event == Event::NeedMore) {
    const std::string_view rest = piece.substr(whole.used);
    const std::size_t base = whole.used;
    Step part;
    switch (state_) {
      case State::Start:
        part = step_start(rest.front());
        break;
      case State::Between:
        part = step_between(rest);
        break;
      case State::Object:
        part = step_object(rest);
        break;
      case State::SkipObject:
        part = step_skip_object(rest);
        break;
      case State::Line:
        part = step_line(rest);
        break;
      case State::SkipLine:
        part = step_skip_line(rest);
        break;
      case State::Prefix:
        part = step_prefix(rest.front());
        break;
      case State::Header:
        part = step_header(rest);
        break;
      case State::Body:
        part = step_body(rest);
        break;
      case State::Ended:
        part = {Event::NeedMore, rest.size(), rest.size()};
        break;
    }
    whole.event = part.event;
    if (part.dropped > 0) whole.dropped = base + part.dropped;
    whole.used = base + part.used;
    for (std::size_t at = base; at < whole.used && position_ < kFirstBytes; ++at)
      first_[position_++] = piece[at];
  }
  return whole;
}

FrameScanner::Step FrameScanner::step_start(char first) noexcept {
  if (first == '\0') {
    framing_ = Framing::LengthPrefixed;
    state_ = State::Header;
    return {};
  }
  framing_ = Framing::Stream;
  state_ = State::Between;
  return {};
}

std::size_t FrameScanner::leading_gap(std::string_view piece) const noexcept {
  std::size_t at = 0;
  for (;;) {
    while (at < piece.size() && is_space_or_nul(piece[at]))
      ++at;
    if (!request_end_->begins(piece.substr(at))) return at;
    at += request_end_->text().size();
  }
}

FrameScanner::Step FrameScanner::step_between(std::string_view piece) noexcept {
  const std::size_t at = leading_gap(piece);
  if (at == piece.size()) return {Event::NeedMore, at, at};
  ++begun_;
  size_ = 0;
  if (piece[at] == '{') {
    is_first_ = false;
    object_.start();
    state_ = State::Object;
  } else {
    state_ = State::Line;
  }
  return {Event::NeedMore, at, at};
}

FrameScanner::Step FrameScanner::step_object(std::string_view piece) noexcept {
  if (size_ >= max_) {
    state_ = State::SkipObject;
    return {Event::TooLarge, 0, 0};
  }
  std::size_t used = 0;
  const auto result = object_.scan(piece.substr(0, max_ - size_), used);
  size_ += used;
  if (result == ObjectScanner::Result::More) return {Event::NeedMore, 0, used};
  state_ = State::Between;
  const bool broken = result == ObjectScanner::Result::Newline;
  return {broken ? Event::BrokenString : Event::Request, 0, used};
}

FrameScanner::Step FrameScanner::step_skip_object(std::string_view piece) noexcept {
  std::size_t used = 0;
  if (object_.scan(piece, used) != ObjectScanner::Result::More) state_ = State::Between;
  return {Event::NeedMore, used, used};
}

FrameScanner::Step FrameScanner::step_line(std::string_view piece) noexcept {
  for (std::size_t used = 1; used <= piece.size(); ++used) {
    line_[size_++] = piece[used - 1];
    const std::size_t position = position_ + used;
    switch (classify_line(size_ == position)) {
      case LineKind::Undecided:
        continue;
      case LineKind::Gap:
        state_ = State::Between;
        return {Event::NeedMore, used, used};
      case LineKind::Http:
        state_ = State::Ended;
        return {Event::Http, used, used};
      case LineKind::Tls:
        state_ = State::Ended;
        return {Event::Tls, used, used};
      case LineKind::Garbage:
        is_first_ = false;
        skip_line(position);
        return {Event::Garbage, used, used};
    }
  }
  return {Event::NeedMore, piece.size(), piece.size()};
}

/// The kind of what begins with the bytes in `line_`.
FrameScanner::LineKind FrameScanner::classify_line(bool is_at_start) const noexcept {
  const std::string_view line(line_.data(), size_);
  bool undecided = false;
  const auto equals = [&](std::string_view begun, std::string_view wanted) {
    const bool begins = wanted.starts_with(begun);
    undecided = undecided || begins;
    return begins && begun.size() == wanted.size();
  };
  if (equals(line, request_end_->text()) || (is_at_start && equals(line, kBom)))
    return LineKind::Gap;
  for (const std::string_view method : kHttpMethods)
    if (equals(line, method)) return LineKind::Http;
  std::array<char, kLineBytes> lowered{};
  std::transform(line.begin(), line.end(), lowered.begin(), [](char c) { return to_lower(c); });
  if (equals({lowered.data(), line.size()}, kHttpHost)) return LineKind::Http;
  for (const std::string_view tls : kTls)
    if (equals(line, tls)) return LineKind::Tls;
  return undecided ? LineKind::Undecided : LineKind::Garbage;
}

/// Goes on behind the garbage in `line_`. `position`: bytes of the connection used so far; beyond
/// kFirstBytes it may be less.
void FrameScanner::skip_line(std::size_t position) noexcept {
  const char last = line_[size_ - 1];
  std::size_t matched = 0;
  for (const char byte : std::string_view(line_.data(), size_))
    matched = request_end_->advance(matched, byte);
  end_matched_ = static_cast<std::uint8_t>(matched);
  state_ = request_end_->is_whole(matched) ? State::Between : State::SkipLine;
  if (ends_garbage(last)) end_garbage(last, position);
}

/// A newline or a NUL ended garbage. It may be a little-endian length, whose fourth byte is a NUL.
void FrameScanner::end_garbage(char last, std::size_t position) noexcept {
  const bool is_nul = last == '\0' && (position == 3 || position == 4);
  const bool may_be_length = position == 2 || is_nul;
  state_ = may_be_length ? State::Prefix : State::Between;
}

FrameScanner::Step FrameScanner::step_skip_line(std::string_view piece) noexcept {
  const std::size_t allowed = std::min(piece.size(), max_ - std::min(size_, max_));
  std::size_t matched = end_matched_;
  for (std::size_t used = 1; used <= allowed; ++used) {
    const char next = piece[used - 1];
    if (ends_garbage(next)) {
      end_garbage(next, position_ + used);
      return {Event::NeedMore, used, used};
    }
    matched = request_end_->advance(matched, next);
    if (request_end_->is_whole(matched)) {
      state_ = State::Between;
      return {Event::NeedMore, used, used};
    }
  }
  end_matched_ = static_cast<std::uint8_t>(matched);
  size_ += allowed;
  if (allowed == piece.size()) return {Event::NeedMore, allowed, allowed};
  state_ = State::Ended;
  return {Event::EndlessLine, allowed, allowed};
}

/// Going on would publish a request behind the `no` that its own length was answered with.
FrameScanner::Step FrameScanner::step_prefix(char next) noexcept {
  if (position_ < kHeaderBytes && next == '\0') return {Event::NeedMore, 1, 1};
  // A control character in a length below 2 MiB; text or white space in a word.
  const char third = first_[2];
  const bool is_control = third >= '\0' && third < ' ' && !is_space(third);
  const bool is_length = position_ == kHeaderBytes && next == '{' && is_control;
  state_ = is_length ? State::Ended : State::Between;
  return {is_length ? Event::LittleEndian : Event::NeedMore, 0, 0};
}

FrameScanner::Step FrameScanner::step_header(std::string_view piece) noexcept {
  std::size_t used = 0;
  if (size_ == 0) ++begun_;
  while (used < piece.size() && size_ < kHeaderBytes) {
    announced_ = (size_ == 0 ? 0 : announced_ << 8) | static_cast<unsigned char>(piece[used]);
    ++size_;
    ++used;
  }
  if (size_ < kHeaderBytes) return {Event::NeedMore, used, used};
  size_ = 0;
  if (announced_ == 0) return {Event::EmptyFrame, used, used};
  if (announced_ > max_) {
    state_ = State::Ended;
    return {Event::FrameTooLarge, used, used};
  }
  state_ = State::Body;
  return {Event::NeedMore, used, used};
}

FrameScanner::Step FrameScanner::step_body(std::string_view piece) noexcept {
  const std::size_t used = std::min(piece.size(), announced_ - size_);
  size_ += used;
  if (size_ < announced_) return {Event::NeedMore, 0, used};
  size_ = 0;
  state_ = State::Header;
  return {Event::Request, 0, used};
}

}  // namespace sluice::protocol
