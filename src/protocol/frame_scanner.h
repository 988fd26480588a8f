// Finds where requests begin and end, byte by byte, without holding any of them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "protocol/framing.h"
#include "protocol/request_end.h"

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
    Garbage,        ///< a byte that begins no request; what follows it will be skipped
    Http,           ///< a line of an HTTP request, `Host:` included; nothing more is scanned
    Tls,            ///< a TLS handshake; nothing more is scanned
    LittleEndian,   ///< a request behind a little-endian length; nothing more is scanned
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

  /// `request_end` outlives it and may change between calls.
  FrameScanner(std::size_t max_request_bytes, const RequestEnd& request_end) noexcept
      : max_(max_request_bytes), request_end_(&request_end) {}
  void set_max_request_bytes(std::size_t bytes) noexcept { max_ = bytes; }

  std::size_t max_request_bytes() const noexcept { return max_; }

  /// Scans `piece`, which follows the bytes used before, up to the next event. With NeedMore, all
  /// of `piece` is used.
  Step step(std::string_view piece) noexcept;
  Framing framing() const noexcept { return framing_; }
  /// A byte order mark, a request, or garbage that will be answered has begun and is neither
  /// complete nor answered.
  bool is_inside() const noexcept;
  /// Input is skipped: garbage, or the rest of a request that was too large.
  bool is_skipping() const noexcept {
    return state_ == State::SkipObject || state_ == State::SkipLine;
  }
  /// Between two requests of a stream: what is not white space begins the next one, or garbage.
  /// Not within the first bytes, which only step() may scan.
  bool is_between() const noexcept { return state_ == State::Between && position_ == kFirstBytes; }
  bool is_ended() const noexcept { return state_ == State::Ended; }
  /// Neither a request nor garbage came before: what begins now is the first.
  bool is_first() const noexcept { return is_first_; }
  /// Differs from an earlier result if another request or line of garbage has begun since.
  std::uint32_t begun() const noexcept { return begun_; }
  /// The number of bytes that `piece` begins with and that separate requests: white space, NULs and
  /// whole request_ends.
  std::size_t leading_gap(std::string_view piece) const noexcept;
  /// Instead of step(): a request was read elsewhere, while is_between().
  void pass_request() noexcept { is_first_ = false; }
  /// The length a length-prefixed frame announced.
  std::size_t announced() const noexcept { return announced_; }
  const RequestEnd& request_end() const noexcept { return *request_end_; }
  /// The byte the latest Garbage began with.
  unsigned char garbage_byte() const noexcept { return static_cast<unsigned char>(line_[0]); }

 private:
  enum class State {
    Start,       // nothing received
    Between,     // between requests of a stream
    Object,      // in a request
    SkipObject,  // in a request that was too large
    Line,        // in what may be a request_end, a byte order mark, another protocol or garbage
    SkipLine,    // in garbage that was answered
    Prefix,      // behind garbage that may be a little-endian length
    Header,      // in a frame's length
    Body,        // in a frame
    Ended,
  };

  enum class LineKind { Undecided, Gap, Http, Tls, Garbage };

  Step step_start(char first) noexcept;
  Step step_between(std::string_view piece) noexcept;
  Step step_object(std::string_view piece) noexcept;
  Step step_skip_object(std::string_view piece) noexcept;
  Step step_line(std::string_view piece) noexcept;
  Step step_skip_line(std::string_view piece) noexcept;
  Step step_header(std::string_view piece) noexcept;
  Step step_prefix(char next) noexcept;
  Step step_body(std::string_view piece) noexcept;
  LineKind classify_line(bool is_at_start) const noexcept;
  void skip_line(std::size_t position) noexcept;
  void end_garbage(char last, std::size_t position) noexcept;

  static constexpr std::size_t kLineBytes = RequestEnd::kMaxBytes;  // the longest pattern
  static constexpr std::size_t kFirstBytes = 5;                     // a length and a brace

  std::size_t max_;
  const RequestEnd* request_end_;
  State state_ = State::Start;
  Framing framing_ = Framing::Unknown;
  ObjectScanner object_;
  std::size_t size_ = 0;       // bytes of the request, line or header so far
  std::size_t announced_ = 0;  // of a length-prefixed frame
  std::uint32_t begun_ = 0;
  std::array<char, kFirstBytes> first_{};  // of the connection
  std::uint8_t position_ = 0;              // of these, used so far
  std::uint8_t end_matched_ = 0;           // bytes of the request_end that skipped input ends with
  bool is_first_ = true;
  std::array<char, kLineBytes> line_{};
};

}  // namespace sluice::protocol
