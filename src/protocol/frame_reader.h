// Splits a client's bytes into requests, in both framings. It does no I/O.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/errors.h"
#include "protocol/frame_scanner.h"
#include "protocol/framing.h"
#include "protocol/request_end.h"
#include "protocol/spare_blocks.h"

namespace sluice::protocol {

/// What FrameReader::next() found.
struct Frame {
  enum class Kind {
    NeedMore,  ///< nothing complete: call save(), then feed() the next bytes
    Request,   ///< `bytes` is one request's text, for the decoder
    Fault,     ///< to be answered with `error` and `detail`
    Http,      ///< an HTTP request: answer it, then close the connection gracefully
    Close,     ///< close the connection gracefully, without a reply; `detail` is for the log
  };
  Kind kind = Kind::NeedMore;
  /// Request: the whole text. Fault: what was read of the faulty request (for its id), if any.
  std::string_view bytes = {};
  ErrorKind error = ErrorKind::BadRequest;
  std::string_view detail = {};
  bool ends_connection = false;  ///< Fault: after the reply, close the connection gracefully
  bool is_first = false;         ///< Http: neither a request nor garbage came before
};

/// Splits one connection's input. The order of calls is feed(), next() until NeedMore or until the
/// caller pauses, save(); then feed() again. next() scans every byte once, in pieces of any size;
/// only a request that was not fed in one piece is copied.
class FrameReader {
 public:
  /// Large blocks come from `spare` and go back to it. `request_end` may change between calls. Both
  /// outlive it.
  FrameReader(std::size_t max_request_bytes, SpareBlocks& spare,
              const RequestEnd& request_end = kNoRequestEnd)
      : scanner_(max_request_bytes, request_end), spare_(&spare) {}
  /// A moved-from reader may only be assigned to or destroyed.
  FrameReader(FrameReader&&) noexcept = default;
  FrameReader& operator=(FrameReader&&) noexcept = default;

  /// Takes effect at once, for the current request, too.
  void set_max_request_bytes(std::size_t bytes) noexcept { scanner_.set_max_request_bytes(bytes); }

  /// Adds bytes just read, which must stay valid until save(). Call it only after save(), or when
  /// all earlier input is consumed.
  void feed(std::string_view input);
  /// The next thing found. What it refers to is valid until the next call of any member.
  Frame next();
  /// The input that next() would scan, if a request of a JSON stream begins with its first byte; at
  /// most max_request_bytes. Empty: call next(). Valid until the next call of any member.
  std::string_view ahead();
  /// Instead of next(): consumes a request, the first `size` bytes of ahead().
  void consume(std::size_t size) noexcept;
  /// Copies the bytes that are not consumed: the memory passed to feed() is free for reuse.
  void save();
  /// The input has ended, after next() returned NeedMore. A Fault within a request, else NeedMore.
  Frame finish();

  /// There are bytes that next() has not scanned yet.
  bool has_input() const noexcept { return !scanner_.is_ended() && unscanned() > 0; }
  /// Number of bytes that next() has not scanned yet.
  std::size_t unscanned() const noexcept {
    return held_size_ - held_at_ + input_.size() - input_at_;
  }
  /// Memory this reader holds, in bytes; a small block counts as far as it is filled, a large one
  /// as far as it was ever written to.
  std::size_t buffered() const noexcept;
  /// A request has begun and is neither whole nor answered.
  bool inside_request() const noexcept { return scanner_.is_inside(); }
  /// Input is skipped: behind an invalid byte, or the rest of a request that was too large.
  bool is_skipping() const noexcept { return scanner_.is_skipping(); }
  /// Differs from an earlier result if another request, or something to skip, has begun since;
  /// those consumed do not count.
  std::uint32_t begun() const noexcept { return scanner_.begun(); }
  /// What may be wrong with the framing of a request that could not be decoded or did not end, for
  /// the end of the reply's `detail`. `bytes`: of its Frame.
  std::string_view hint(std::string_view bytes) const noexcept;
  /// The block of the request just found, for sharing instead of copying. Null: the request lies in
  /// memory that is reused soon. Valid as long as the request.
  const Block* block_of_request() noexcept;
  Framing framing() const noexcept { return scanner_.framing(); }

 private:
  std::string_view held_from(std::size_t at) const noexcept {
    return {held_.data() + at, held_size_ - at};
  }
  Frame step_held();
  Frame step_input();
  Frame to_frame(FrameScanner::Event event, std::string_view bytes);
  Frame fault(ErrorKind error, std::string_view bytes, std::string detail);
  Frame last_fault(ErrorKind error, std::string detail);
  std::string_view end_of_garbage() const noexcept;
  std::string describe_length() const;
  std::string_view join_request();
  void hold(std::string_view bytes);
  void make_room(std::size_t bytes);
  void shrink_to(std::size_t bytes) noexcept;
  void release_consumed();

  FrameScanner scanner_;

  // Saved bytes: [0, held_request_) consumed, [held_request_, held_at_) of the current request, the
  // rest not scanned. The current request continues in input_ only if all saved bytes are scanned.
  Block held_;
  SpareBlocks* spare_;
  std::size_t held_size_ = 0;
  std::size_t held_request_ = 0;
  std::size_t held_at_ = 0;
  // The same three parts of the bytes fed last.
  std::string_view input_;
  std::size_t input_request_ = 0;
  std::size_t input_at_ = 0;

  std::string detail_;
};

}  // namespace sluice::protocol
