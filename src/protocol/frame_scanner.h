// Finds where requests begin and end, byte by byte, without holding any of them.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "protocol/framing.h"

namespace sluice::protocol {

/// Follows the braces and strings of one JSON object, piece by piece, whatever else is in it.
class ObjectScanner {
 public:
  enum class Result {
    More,     ///< the piece ended before the object did
    End,      ///< the object's own closing brace was passed
    Newline,  ///< a raw newline inside a string was passed: JSON forbids it, the object is broken
  };

  void start() noexcept { *this = ObjectScanner(); }
  /// Scans `piece` from its first byte to the next result; `used` is the number of bytes scanned.
  Result scan(std::string_view piece, std::size_t& used) noexcept;

 private:
  Result scan_string(const char*& at, const char* end) noexcept;

  std::size_t depth_ = 0;
  bool in_string_ = false;
  bool escaped_ = false;
};

/// The state machine of both framings. Scans every byte once, in pieces of any size.
class FrameScanner {
 public:
  enum class Event {
    NeedMore,       ///< the piece is used up
    Request,        ///< a whole request ended here
    Garbage,        ///< a byte that begins no request; the rest of its line will be skipped
    Http,           ///< a line of an HTTP request, `Host:` included; nothing more is scanned
    EndlessLine,    ///< a line of garbage exceeds the limit; nothing more is scanned
    BrokenString,   ///< the request ended at a raw newline inside a string
    TooLarge,       ///< the request exceeds the limit; the rest of it will be skipped
    EmptyFrame,     ///< a length of 0
    FrameTooLarge,  ///< a length beyond the limit; nothing more is scanned
  };
  /// Bytes [dropped, used) of the piece belong to the current request, earlier ones to none.
  struct Step {
    Event event = Event::NeedMore;
    std::size_t dropped = 0;
    std::size_t used = 0;
  };

  explicit FrameScanner(std::size_t max_request_bytes) noexcept : max_(max_request_bytes) {}
  void set_max_request_bytes(std::size_t bytes) noexcept { max_ = bytes; }

  std::size_t max_request_bytes() const noexcept { return max_; }

  /// Scans `piece`, which follows the bytes used before, up to the next event. With NeedMore, all
  /// of `piece` is used.
  Step step(std::string_view piece) noexcept;
  Framing framing() const noexcept { return framing_; }
  /// A byte order mark, a request, or garbage that will be answered has begun and is neither
  /// complete nor answered.
  bool is_inside() const noexcept;
  /// Between two requests of a stream: what is not white space begins the next one, or garbage.
  bool is_between() const noexcept { return state_ == State::Between; }
  bool is_ended() const noexcept { return state_ == State::Ended; }
  /// The length a length-prefixed frame announced.
  std::size_t announced() const noexcept { return announced_; }
  /// The byte the latest Garbage began with.
  unsigned char garbage_byte() const noexcept { return static_cast<unsigned char>(line_[0]); }

 private:
  enum class State {
    Start,       // nothing received
    Bom,         // within a byte order mark
    Between,     // between requests of a stream
    Object,      // in a request
    SkipObject,  // in a request that was too large
    Line,        // in garbage that may still turn out to be HTTP
    SkipLine,    // in garbage that was answered
    Header,      // in a frame's length
    Body,        // in a frame
    Ended,
  };

  Step step_start(char first) noexcept;
  Step step_bom(char next) noexcept;
  Step step_between(std::string_view piece) noexcept;
  Step step_object(std::string_view piece) noexcept;
  Step step_skip_object(std::string_view piece) noexcept;
  Step step_line(std::string_view piece) noexcept;
  Step step_skip_line(std::string_view piece) noexcept;
  Step step_header(std::string_view piece) noexcept;
  Step step_body(std::string_view piece) noexcept;
  Step begin_line(char first) noexcept;

  static constexpr std::size_t kLineBytes = 8;  // the longest pattern that a line is compared with

  std::size_t max_;
  State state_ = State::Start;
  Framing framing_ = Framing::Unknown;
  ObjectScanner object_;
  std::size_t size_ = 0;       // bytes of the request, line or header so far
  std::size_t announced_ = 0;  // of a length-prefixed frame
  std::array<char, kLineBytes> line_{};
};

}  // namespace sluice::protocol
