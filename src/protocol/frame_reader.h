// Cuts what a client sends into requests, in both framings. Pure: it reads no socket.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "protocol/errors.h"
#include "protocol/frame_scanner.h"
#include "protocol/framing.h"

namespace sluice::protocol {

/// What FrameReader::next() found.
struct Frame {
  enum class Kind {
    NeedMore,  ///< nothing (more): save(), and feed() what is read next
    Request,   ///< `bytes` is one request's text, for the decoder
    Fault,     ///< to be answered with `error` and `detail`
    Close,     ///< end the connection gently without a reply; `detail` says why, for the log
  };
  Kind kind = Kind::NeedMore;
  /// Request: the whole text. Fault: what was read of the request at fault (for its id), if any.
  std::string_view bytes = {};
  ErrorKind error = ErrorKind::BadRequest;
  std::string_view detail = {};
  bool ends_connection = false;  ///< Fault: after the reply, end the connection gently
};

/// One connection's requests. The order of calls is feed, next until NeedMore (or until the caller
/// pauses), save; then feed again. Every byte is looked at once however it arrives, and copied only
/// where a request does not lie whole in what was fed.
class FrameReader {
 public:
  explicit FrameReader(std::size_t max_request_bytes) : scanner_(max_request_bytes) {}

  /// Counts at once, also for the request under way.
  void set_max_request_bytes(std::size_t bytes) noexcept { scanner_.set_max_request_bytes(bytes); }

  /// Bytes just read. They are referenced, not copied, until save(). Only after save(), or where
  /// nothing of a former feed is left.
  void feed(std::string_view input);
  /// The next thing found. What it refers to is valid until the next call of any member.
  Frame next();
  /// Copies what is not consumed yet, so that the memory behind feed() may be used for other
  /// things.
  void save();
  /// End of input, after next() said NeedMore. NeedMore if it is a clean end, else a Fault.
  Frame finish();

  /// Bytes are there that next() has not looked at.
  bool has_input() const noexcept;
  /// Memory this reader holds, in bytes; a small buffer counts as far as it is filled.
  std::size_t buffered() const noexcept;
  /// A request has begun and is neither whole nor answered.
  bool inside_request() const noexcept { return scanner_.is_inside(); }
  Framing framing() const noexcept { return scanner_.framing(); }

 private:
  Frame step_held();
  Frame step_input();
  Frame to_frame(FrameScanner::Event event, std::string_view bytes);
  Frame fault(ErrorKind error, std::string_view bytes, std::string detail);
  std::string_view join_item();
  void hold(std::string_view bytes);
  void tidy();

  FrameScanner scanner_;

  // Saved bytes: [0, held_item_) consumed, [held_item_, held_at_) the request under way,
  // [held_at_, size) not looked at. The request under way goes on in input_ only where all saved
  // bytes were looked at.
  std::string held_;
  std::size_t held_item_ = 0;
  std::size_t held_at_ = 0;
  // The same three parts of what was fed.
  std::string_view input_;
  std::size_t input_item_ = 0;
  std::size_t input_at_ = 0;

  std::string detail_;
};

}  // namespace sluice::protocol
