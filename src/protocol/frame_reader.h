// Cuts what a client sends into requests, in both framings. Pure: it reads no socket.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/errors.h"
#include "protocol/frame_scanner.h"
#include "protocol/framing.h"
#include "protocol/spare_blocks.h"

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
/// pauses), save; then feed again. next() looks at every byte once however it arrives (at most
/// twice in pieces of up to kShortBytes); ahead() leaves that to its caller. Bytes are copied only
/// where a request does not lie whole in what was fed.
class FrameReader {
 public:
  /// Large blocks come from `spare`, which outlives it, and go back to it.
  FrameReader(std::size_t max_request_bytes, SpareBlocks& spare)
      : scanner_(max_request_bytes), spare_(&spare) {}
  /// A moved-from one may only be assigned to or destroyed.
  FrameReader(FrameReader&&) noexcept = default;
  FrameReader& operator=(FrameReader&&) noexcept = default;

  /// Counts at once, also for the request under way.
  void set_max_request_bytes(std::size_t bytes) noexcept {
    end_quick();
    scanner_.set_max_request_bytes(bytes);
  }

  /// Bytes just read. They are to stay where they are until save(). Only after save(), or where
  /// nothing of a former feed is left.
  void feed(std::string_view input) {
    // Single bytes are what has to be cheapest.
    if (input.size() == 1 && held_size_ < quick_end_ && is_plain(input.front(), quick_stops_)) {
      held_.data()[held_size_++] = input.front();
    } else if (is_quick(input)) {
      for (const char byte : input)
        held_.data()[held_size_++] = byte;
    } else {
      refer_to(input);
    }
  }
  /// The next thing found. What it refers to is valid until the next call of any member.
  Frame next() {
    if (quick_end_ > 0) {
      held_at_ = held_size_;
      return {};
    }
    return look_further();
  }
  /// What next() would look at next, where a request of a stream begins with its first byte and
  /// lies in what was fed; at most max_request_bytes. Empty: call next(). Valid as what next()
  /// refers to.
  std::string_view ahead();
  /// In place of next(): a request whose object is the first `size` bytes of ahead().
  void pass(std::size_t size) noexcept;
  /// Copies what is not consumed yet, so that the memory behind feed() may be used for other
  /// things.
  void save() {
    if (quick_end_ == 0) copy_rest();
  }
  /// End of input, after next() said NeedMore. NeedMore if it is a clean end, else a Fault.
  Frame finish();

  /// Bytes are there that next() has not looked at, and will.
  bool has_input() const noexcept { return !scanner_.is_ended() && unseen() > 0; }
  /// How many bytes next() has not looked at.
  std::size_t unseen() const noexcept { return held_size_ - held_at_ + input_.size() - input_at_; }
  /// Memory this reader holds, in bytes; a small block counts as far as it is filled, a large one
  /// as far as it was ever written to.
  std::size_t buffered() const noexcept;
  /// A request has begun and is neither whole nor answered.
  bool inside_request() const noexcept { return scanner_.is_inside(); }
  /// The block that the request just found lies in, for sharing it instead of copying from it.
  /// Null: the request lies in memory that is used for other things soon. Valid as long as it is.
  const Block* block_of_request() noexcept;
  Framing framing() const noexcept { return scanner_.framing(); }

 private:
  /// Whether `input` may take the short way, see quick_end_.
  bool is_quick(std::string_view input) const noexcept {
    if (input.size() > kShortBytes || held_size_ + input.size() > quick_end_) return false;
    for (const char byte : input)
      if (!is_plain(byte, quick_stops_)) return false;
    return true;
  }

  std::string_view held_from(std::size_t at) const noexcept {
    return {held_.data() + at, held_size_ - at};
  }
  void refer_to(std::string_view input);
  Frame look_further();
  void copy_rest();
  void begin_quick();
  void end_quick() noexcept;
  Frame step_held();
  Frame step_input();
  Frame to_frame(FrameScanner::Event event, std::string_view bytes);
  Frame fault(ErrorKind error, std::string_view bytes, std::string detail);
  std::string_view join_item();
  void hold(std::string_view bytes);
  void make_room(std::size_t bytes);
  void shrink_to(std::size_t bytes) noexcept;
  void tidy();

  FrameScanner scanner_;

  // Saved bytes: [0, held_item_) consumed, [held_item_, held_at_) the request under way,
  // [held_at_, size) not looked at. The request under way goes on in input_ only where all saved
  // bytes were looked at.
  Block held_;
  SpareBlocks* spare_;
  std::size_t held_size_ = 0;
  std::size_t held_item_ = 0;
  std::size_t held_at_ = 0;
  // The same three parts of what was fed.
  std::string_view input_;
  std::size_t input_item_ = 0;
  std::size_t input_at_ = 0;

  // The short way of tiny pieces, all of it in line: a client may write each byte by itself, and
  // that must not cost many times what large pieces do. While input_ is empty and held_ is all one
  // request, pieces of nothing but bytes that the scanner need not see go straight to held_, up to
  // quick_end_; the scanner is told how many they were when that ends. 0: the short way is closed.
  static constexpr std::size_t kShortBytes = 32;
  std::size_t quick_begin_ = 0;
  std::size_t quick_end_ = 0;
  std::uint8_t quick_stops_ = 0;

  std::string detail_;
};

}  // namespace sluice::protocol
