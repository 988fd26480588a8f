#include "cli/send_lines.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/utf8.h"
#include "cli/send_text.h"

namespace sluice::cli {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::size_t kReadBytes = std::size_t{64} * 1024;
constexpr std::size_t kBomBytes = 3;
constexpr std::size_t kMaxLineBytes = std::size_t{16} * 1024 * 1024;  // what a server takes at most
constexpr milliseconds kProgressInterval{200};

/// Cuts standard input into lines, reading only when asked to.
class LineReader {
 public:
  explicit LineReader(int fd) : fd_(fd) {}

  /// Reads once. Blocks unless the descriptor is readable.
  void fill() {
    if (at_ > 0) {
      buffer_.erase(0, at_);
      scanned_ -= at_;
      at_ = 0;
    }
    std::array<char, kReadBytes> chunk;  // NOLINT: filled by read
    const ssize_t got = ::read(fd_, chunk.data(), chunk.size());
    if (got > 0) {
      buffer_.append(chunk.data(), static_cast<std::size_t>(got));
      return;
    }
    if (got < 0 && (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (got < 0) fault_ = std::generic_category().message(errno);
    ended_ = true;
  }

  /// The next whole line without its newline; the last one may lack it. False: fill() first, or the
  /// input has ended. A line that is too long comes with `too_long` and without its text.
  bool next(std::string& line, bool& too_long) {
    skip_bom();
    const std::size_t newline = buffer_.find('\n', scanned_);
    if (newline == std::string::npos && !ended_) {
      drop_excess();
      return false;
    }
    const bool is_last = newline == std::string::npos;
    if (is_last && !fault_.empty()) return false;  // the last line may be incomplete
    if (is_last && at_ == buffer_.size() && !dropping_) return false;
    const std::size_t end = is_last ? buffer_.size() : newline;
    too_long = dropping_ || end - at_ > kMaxLineBytes;
    line.assign(buffer_, at_, too_long ? 0 : end - at_);
    at_ = is_last ? end : end + 1;
    scanned_ = at_;
    dropping_ = false;
    begun_ = true;
    return true;
  }

  bool has_ended() const { return ended_; }
  const std::string& fault() const { return fault_; }

 private:
  /// A byte order mark before the first line is no part of it.
  void skip_bom() {
    if (begun_ || buffer_.size() < kBomBytes) return;
    begun_ = true;
    at_ = buffer_.size() - without_bom(buffer_).size();
    scanned_ = std::max(scanned_, at_);
  }

  void drop_excess() {
    scanned_ = buffer_.size();
    if (!dropping_ && buffer_.size() - at_ <= kMaxLineBytes) return;
    dropping_ = true;
    buffer_.clear();
    at_ = 0;
    scanned_ = 0;
  }

  int fd_;
  std::string buffer_;
  std::size_t at_ = 0;       ///< the next line begins here
  std::size_t scanned_ = 0;  ///< no newline before this
  bool dropping_ = false;    ///< inside a line that is too long
  bool begun_ = false;       ///< what comes next is no byte order mark
  bool ended_ = false;
  std::string fault_;
};

/// Sends the lines of standard input, many in flight.
class Pipeline {
 public:
  Pipeline(Client& client, const SendOptions& options, const SendStreams& streams,
           milliseconds patience)
      : client_(client),
        options_(options),
        streams_(streams),
        patience_(patience),
        lines_(streams.input) {}

  int run() {
    while (!is_done()) {
      submit_lines();
      collect_results();
      show_progress(false);
      check_patience();
      if (!is_done()) wait();
    }
    show_progress(true);
    report();
    return failed_ + unknown_ == 0 && !stopped_ ? 0 : 1;
  }

 private:
  bool wants_line() const { return !stopped_ && !no_more_lines_ && client_.can_submit(); }
  bool is_done() const { return (no_more_lines_ || stopped_) && client_.outstanding() == 0; }

  void submit_lines() {
    while (wants_line()) {
      if (!client_.is_connected()) return stop("connection lost: " + client_.error());
      std::string line;
      bool too_long = false;
      if (!lines_.next(line, too_long)) {
        no_more_lines_ = lines_.has_ended();
        if (!lines_.fault().empty()) stop("standard input: " + lines_.fault());
        return;
      }
      ++line_number_;
      if (too_long) {
        ++failed_;
        say(fmt::format("line {}: longer than {} bytes, not sent", line_number_, kMaxLineBytes));
        continue;
      }
      Message message = message_of(options_, std::move(line));
      message.id = static_cast<std::int64_t>(line_number_);
      if (client_.outstanding() == 0) latest_ = Clock::now();
      (void)client_.submit(message);
      ++sent_;
    }
  }

  void collect_results() {
    while (const auto result = client_.next_result(milliseconds{0})) {
      latest_ = Clock::now();
      count(*result);
      if (result->reply.empty()) {
        say(fmt::format("line {}: {}", std::get<std::int64_t>(*result->id), describe(*result)));
      } else if (!write_all(streams_.output, printable_reply(result->reply) + "\n")) {
        stop("cannot write standard output");
      }
      show_progress(false);
    }
    if (!client_.is_connected() && !stopped_ && (!no_more_lines_ || unknown_ > 0)) {
      stop("connection lost: " + client_.error());
    }
  }

  milliseconds patience_left() const {
    return patience_ - std::chrono::duration_cast<milliseconds>(Clock::now() - latest_);
  }

  /// A server settles each request that it has read by its deadline: with some outstanding, there
  /// is no longer pause between two results.
  void check_patience() {
    if (client_.outstanding() == 0 || !client_.is_connected()) return;
    if (patience_left() > milliseconds{0}) return;
    stop(fmt::format("no reply within {} ms", patience_.count()));
    client_.close();
  }

  void count(const PublishResult& result) {
    if (!result.reply.empty()) ++answered_;
    if (result.outcome == Outcome::Published) {
      ++published_;
    } else if (result.outcome == Outcome::Unknown) {
      ++unknown_;
    } else {
      ++failed_;
    }
  }

  void stop(std::string why) {
    if (stopped_) return;
    stopped_ = true;
    why_stopped_ = std::move(why);
  }

  /// Waits for the socket, and for standard input where a line could be sent.
  void wait() {
    std::array<pollfd, 2> entries{};
    nfds_t used = 0;
    const bool reads_input = wants_line();
    if (reads_input) entries[used++] = {streams_.input, POLLIN, 0};
    if (client_.is_connected()) {
      const int events = POLLIN | (client_.wants_write() ? POLLOUT : 0);
      entries[used++] = {client_.native_handle(), static_cast<short>(events), 0};
    }
    auto limit = streams_.show_progress ? kProgressInterval : milliseconds{1000};
    if (client_.outstanding() > 0) limit = std::clamp(patience_left(), milliseconds{0}, limit);
    const int ready = ::poll(entries.data(), used, static_cast<int>(limit.count()));
    if (ready > 0 && reads_input && entries[0].revents != 0) lines_.fill();
  }

  double rate() const {
    const std::chrono::duration<double> elapsed = Clock::now() - started_;
    return elapsed.count() > 0 ? static_cast<double>(answered_) / elapsed.count() : 0.0;
  }

  void show_progress(bool is_last) {
    if (!streams_.show_progress) return;
    if (!is_last && Clock::now() - last_shown_ < kProgressInterval) return;
    last_shown_ = Clock::now();
    (void)write_all(streams_.errors,
                    fmt::format("\r{} sent, {} answered, {} failed, {:.0f}/s\x1b[K", sent_,
                                answered_, failed_ + unknown_, rate()));
    progress_is_open_ = true;
    if (is_last) close_progress();
  }

  void close_progress() {
    if (progress_is_open_) (void)write_all(streams_.errors, "\n");
    progress_is_open_ = false;
  }

  void say(std::string_view line) {
    close_progress();
    (void)write_all(streams_.errors, fmt::format("sluice send: {}\n", printable(line)));
  }

  void report() {
    if (stopped_) {
      std::string line = why_stopped_;
      if (unknown_ > 0) line += fmt::format("; {} with unknown outcome", unknown_);
      if (!no_more_lines_) {
        line += fmt::format("; nothing after line {} was sent", line_number_);
      }
      say(line);
    }
    say(fmt::format("{} sent, {} published, {} failed, {} unknown, {:.0f}/s", sent_, published_,
                    failed_, unknown_, rate()));
  }

  Client& client_;
  const SendOptions& options_;
  const SendStreams& streams_;
  const milliseconds patience_;
  LineReader lines_;
  std::uint64_t line_number_ = 0;
  std::uint64_t sent_ = 0;
  std::uint64_t answered_ = 0;
  std::uint64_t published_ = 0;
  std::uint64_t failed_ = 0;
  std::uint64_t unknown_ = 0;
  bool no_more_lines_ = false;
  bool stopped_ = false;
  std::string why_stopped_;
  bool progress_is_open_ = false;
  Clock::time_point started_ = Clock::now();
  Clock::time_point last_shown_;
  Clock::time_point latest_ = Clock::now();  ///< result, or since when the first one is awaited
};

}  // namespace

Message message_of(const SendOptions& options, std::string payload) {
  Message message;
  message.device_id = options.device;
  message.topic = options.topic;
  message.payload = std::move(payload);
  if (options.json) message.payload_kind = PayloadKind::Json;
  if (options.base64) message.payload_kind = PayloadKind::Base64;
  message.qos = options.qos;
  message.retain = options.retain;
  message.id = options.id;
  if (options.timeout_ms) message.timeout = milliseconds{*options.timeout_ms};
  return message;
}

int send_lines(Client& client, const SendOptions& options, const SendStreams& streams,
               milliseconds patience) {
  return Pipeline(client, options, streams, patience).run();
}

}  // namespace sluice::cli
