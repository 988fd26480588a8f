#include "protocol/frame_scanner.h"

#include <algorithm>
#include <cstring>

#include "base/ascii.h"
#include "protocol/white_space.h"

namespace sluice::protocol {
namespace {

constexpr std::string_view kBom = "\xEF\xBB\xBF";
constexpr std::size_t kHeaderBytes = 4;
constexpr std::array<std::string_view, 9> kMethods = {
    "GET ", "HEAD ", "POST ", "PUT ", "DELETE ", "CONNECT ", "OPTIONS ", "TRACE ", "PATCH "};
constexpr std::string_view kHost = "host:";

enum class LineKind { Undecided, Http, Garbage };

/// The kind of a line that begins with `line`.
LineKind classify_line(std::string_view line) {
  LineKind kind = LineKind::Garbage;
  const auto compare = [&](std::string_view begun, std::string_view wanted) {
    if (begun.starts_with(wanted)) kind = LineKind::Http;
    if (begun.size() < wanted.size() && wanted.starts_with(begun)) kind = LineKind::Undecided;
  };
  for (const std::string_view method : kMethods)
    compare(line, method);
  std::array<char, kHost.size()> lowered{};
  std::size_t size = 0;
  for (; size < lowered.size() && size < line.size(); ++size)
    lowered[size] = to_lower(line[size]);
  compare(std::string_view(lowered.data(), size), kHost);
  return kind;
}

}  // namespace

bool FrameScanner::is_inside() const noexcept {
  switch (state_) {
    case State::Bom:
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
      case State::Bom:
        part = step_bom(rest.front());
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
  state_ = first == kBom.front() ? State::Bom : State::Between;
  return {};
}

FrameScanner::Step FrameScanner::step_bom(char next) noexcept {
  if (next != kBom[size_]) return begin_line(kBom.front());
  if (++size_ == kBom.size()) state_ = State::Between;
  return {Event::NeedMore, 1, 1};
}

FrameScanner::Step FrameScanner::step_between(std::string_view piece) noexcept {
  const std::size_t at = leading_space(piece);
  if (at == piece.size()) return {Event::NeedMore, at, at};
  if (piece[at] != '{') {
    begin_line(piece[at]);
    return {Event::NeedMore, at, at};
  }
  size_ = 0;
  object_.start();
  state_ = State::Object;
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

/// Garbage begins with `first`, which is scanned again as part of the line.
FrameScanner::Step FrameScanner::begin_line(char first) noexcept {
  size_ = 0;
  line_[0] = first;
  state_ = State::Line;
  return {};
}

FrameScanner::Step FrameScanner::step_line(std::string_view piece) noexcept {
  for (std::size_t at = 0; at < piece.size(); ++at) {
    const char next = piece[at];
    const bool is_first_of_bom = size_ == 0 && line_[0] == kBom.front();
    if (!is_first_of_bom) line_[size_] = next;
    ++size_;
    switch (classify_line(std::string_view(line_.data(), size_))) {
      case LineKind::Undecided:
        continue;
      case LineKind::Http:
        state_ = State::Ended;
        return {Event::Http, at + 1, at + 1};
      case LineKind::Garbage:
        state_ = next == '\n' ? State::Between : State::SkipLine;
        return {Event::Garbage, at + 1, at + 1};
    }
  }
  return {Event::NeedMore, piece.size(), piece.size()};
}

FrameScanner::Step FrameScanner::step_skip_line(std::string_view piece) noexcept {
  const std::size_t allowed = std::min(piece.size(), max_ - std::min(size_, max_));
  const void* newline = std::memchr(piece.data(), '\n', allowed);
  if (newline != nullptr) {
    const auto used =
        static_cast<std::size_t>(static_cast<const char*>(newline) - piece.data()) + 1;
    state_ = State::Between;
    return {Event::NeedMore, used, used};
  }
  size_ += allowed;
  if (allowed == piece.size()) return {Event::NeedMore, allowed, allowed};
  state_ = State::Ended;
  return {Event::EndlessLine, allowed, allowed};
}

FrameScanner::Step FrameScanner::step_header(std::string_view piece) noexcept {
  std::size_t used = 0;
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
