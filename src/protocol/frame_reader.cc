// Keeps the bytes of the current request together while the scanner looks for its end.
#include "protocol/frame_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

#include "protocol/frame_hint.h"

namespace sluice::protocol {
namespace {

constexpr std::size_t kFirstBytes = 64;
/// A block of up to this size stays with its reader for the next request.
constexpr std::size_t kMaxIdleBytes = 4096;
/// A request that needs more than this gets a block of SpareBlocks.
constexpr std::size_t kLargeBytes = 16384;

std::string describe(unsigned char byte) {
  if (byte > 0x20 && byte < 0x7F) return fmt::format("'{}'", static_cast<char>(byte));
  return fmt::format("byte 0x{:02X}", byte);
}

Frame close(std::string_view detail) {
  Frame frame;
  frame.kind = Frame::Kind::Close;
  frame.detail = detail;
  return frame;
}

}  // namespace

void FrameReader::feed(std::string_view input) {
  release_consumed();
  assert(input_request_ == input_.size());
  input_ = input;
  input_request_ = 0;
  input_at_ = 0;
}

Frame FrameReader::next() {
  release_consumed();
  if (held_at_ < held_size_) {
    const Frame frame = step_held();
    if (frame.kind != Frame::Kind::NeedMore) return frame;
  }
  if (input_at_ < input_.size()) return step_input();
  return {};
}

std::string_view FrameReader::ahead() {
  if (!scanner_.is_between()) return {};
  release_consumed();
  std::string_view rest;
  if (held_at_ < held_size_) {
    held_at_ += scanner_.leading_gap(held_from(held_at_));
    held_request_ = held_at_;
    rest = held_from(held_at_);
  } else {
    input_at_ += scanner_.leading_gap(input_.substr(input_at_));
    input_request_ = input_at_;
    rest = input_.substr(input_at_);
  }
  if (!rest.starts_with('{')) return {};
  return rest.substr(0, scanner_.max_request_bytes());
}

void FrameReader::consume(std::size_t size) noexcept {
  scanner_.pass_request();
  if (held_at_ < held_size_) {
    held_at_ += size;
    held_request_ = held_at_;
  } else {
    input_at_ += size;
    input_request_ = input_at_;
  }
}

Frame FrameReader::step_held() {
  const auto step = scanner_.step(held_from(held_at_));
  if (step.dropped > 0) held_request_ = held_at_ + step.dropped;
  held_at_ += step.used;
  if (step.event == FrameScanner::Event::NeedMore) return {};
  const auto bytes = held_from(held_request_).substr(0, held_at_ - held_request_);
  held_request_ = held_at_;
  return to_frame(step.event, bytes);
}

Frame FrameReader::step_input() {
  const auto step = scanner_.step(input_.substr(input_at_));
  if (step.dropped > 0) {
    held_request_ = held_at_;
    input_request_ = input_at_ + step.dropped;
  }
  input_at_ += step.used;
  if (step.event == FrameScanner::Event::NeedMore) return {};
  const std::string_view bytes = join_request();
  held_request_ = held_at_;
  input_request_ = input_at_;
  return to_frame(step.event, bytes);
}

/// The request that ended at input_at_, in one piece.
std::string_view FrameReader::join_request() {
  const std::string_view tail = input_.substr(input_request_, input_at_ - input_request_);
  if (held_request_ == held_size_) return tail;
  hold(tail);
  held_at_ = held_size_;
  return held_from(held_request_);
}

/// Moves unconsumed bytes to the front if at least half are consumed or all are scanned, so that
/// copying stays linear.
void FrameReader::save() {
  release_consumed();
  const bool is_scanned = held_at_ == held_size_;
  if (held_request_ > 0 && (is_scanned || held_request_ >= held_size_ / 2)) {
    shrink_to(held_size_ - held_request_);
    std::memmove(held_.data(), held_.data() + held_request_, held_size_);
    held_at_ -= held_request_;
    held_request_ = 0;
  }
  hold(input_.substr(input_request_));
  held_at_ += input_at_ - input_request_;
  input_ = {};
  input_request_ = 0;
  input_at_ = 0;
}

Frame FrameReader::finish() {
  release_consumed();
  if (!scanner_.is_inside()) return {};
  const std::string_view bytes = join_request();
  return fault(ErrorKind::BadRequest, bytes,
               fmt::format("the connection was closed within a request{}", hint(bytes)));
}

std::string_view FrameReader::hint(std::string_view bytes) const noexcept {
  if (framing() != Framing::LengthPrefixed) return hint_of_object(bytes);
  return hint_of_body(static_cast<std::uint32_t>(scanner_.announced()), bytes);
}

std::size_t FrameReader::buffered() const noexcept {
  if (held_request_ == held_size_) return 0;
  return held_.capacity() > kLargeBytes ? std::max(held_.touched(), held_size_) : held_size_;
}

const Block* FrameReader::block_of_request() noexcept {
  const bool is_last = held_request_ == held_size_ && held_at_ == held_size_;
  if (held_size_ == 0 || !is_last) return nullptr;
  held_.touch(held_size_);
  return &held_;
}

void FrameReader::hold(std::string_view bytes) {
  make_room(bytes.size());
  std::copy(bytes.begin(), bytes.end(), held_.data() + held_size_);
  held_size_ += bytes.size();
}

/// Grows by half at least, so that a request in small pieces is copied a few times, not each time.
void FrameReader::make_room(std::size_t bytes) {
  const std::size_t needed = held_size_ + bytes;
  if (needed <= held_.capacity()) return;
  const std::size_t small =
      std::max({needed, held_.capacity() + held_.capacity() / 2, kFirstBytes});
  Block larger = needed > kLargeBytes ? spare_->take(needed) : Block::make(small);
  std::copy_n(held_.data(), held_size_, larger.data());
  shrink_to(held_size_);
  spare_->give_back(std::exchange(held_, std::move(larger)));
}

/// Every reduction goes through here, which records how far the block was written to.
void FrameReader::shrink_to(std::size_t bytes) noexcept {
  held_.touch(held_size_);
  held_size_ = bytes;
}

/// Drops consumed bytes, to which the previous Frame may have referred.
void FrameReader::release_consumed() {
  if (held_request_ < held_size_ || held_size_ == 0) return;
  shrink_to(0);
  // If a request shares the block, this only drops one holder of it.
  if (held_.capacity() > kMaxIdleBytes) spare_->give_back(std::exchange(held_, {}));
  held_request_ = 0;
  held_at_ = 0;
}

Frame FrameReader::fault(ErrorKind error, std::string_view bytes, std::string detail) {
  detail_ = std::move(detail);
  return {Frame::Kind::Fault, bytes, error, detail_, false};
}

Frame FrameReader::last_fault(ErrorKind error, std::string detail) {
  Frame frame = fault(error, {}, std::move(detail));
  frame.ends_connection = true;
  return frame;
}

/// What ends the skipping behind an invalid byte.
std::string_view FrameReader::end_of_garbage() const noexcept {
  return scanner_.request_end().is_set() ? "newline, NUL or request_end" : "newline or NUL";
}

std::string FrameReader::describe_length() const {
  const std::size_t limit = scanner_.max_request_bytes();
  const auto length = static_cast<std::uint32_t>(scanner_.announced());
  return fmt::format("length: expected at most {}, got {}{}", limit, length,
                     hint_of_length(length, limit));
}

Frame FrameReader::to_frame(FrameScanner::Event event, std::string_view bytes) {
  using Event = FrameScanner::Event;
  Frame frame;
  switch (event) {
    case Event::NeedMore:
      break;
    case Event::Request:
      frame.kind = Frame::Kind::Request;
      frame.bytes = bytes;
      break;
    case Event::Garbage:
      return fault(ErrorKind::BadRequest, {},
                   fmt::format("expected a JSON object, got {}; skipping to the next {}",
                               describe(scanner_.garbage_byte()), end_of_garbage()));
    case Event::Http:
      frame.kind = Frame::Kind::Http;
      frame.is_first = scanner_.is_first();
      break;
    case Event::Tls:
      return last_fault(ErrorKind::BadRequest,
                        "received a TLS handshake; this address takes plain TCP only");
    case Event::LittleEndian:
      return last_fault(ErrorKind::BadRequest,
                        "received a little-endian length; it is big-endian (network byte order)");
    case Event::EndlessLine:
      detail_ =
          fmt::format("no {} within max_request_bytes after an invalid byte", end_of_garbage());
      return close(detail_);
    case Event::BrokenString:
      return fault(ErrorKind::BadRequest, bytes, "not JSON: raw newline in a string");
    case Event::TooLarge:
      return fault(ErrorKind::TooLarge, bytes,
                   fmt::format("expected at most {} bytes", scanner_.max_request_bytes()));
    case Event::EmptyFrame:
      return fault(ErrorKind::BadRequest, {}, "length: expected at least 1, got 0");
    case Event::FrameTooLarge:
      return last_fault(ErrorKind::TooLarge, describe_length());
  }
  return frame;
}

}  // namespace sluice::protocol
