// The socket side of one client: non-blocking reads and writes, replies cut at newlines.
#include "connection.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

namespace sluice::bench {
namespace {

/// The text between `start` and the next quote; "unknown" where `start` is not there.
std::string string_member(std::string_view line, std::string_view start) {
  const std::size_t at = line.find(start);
  if (at == std::string_view::npos) return "unknown";
  const std::string_view rest = line.substr(at + start.size());
  return std::string(rest.substr(0, rest.find('"')));
}

}  // namespace

Connection::Connection(const Options& options, Measurement& measurement, std::size_t index)
    : options_(options), measurement_(measurement), index_(index) {
  if (!options.ids) return;
  slots_.resize(options.window);
  for (std::size_t i = options.window; i > 0; --i)
    free_slots_.push_back(i - 1);
}

Connection::~Connection() {
  if (is_open()) ::close(socket_);
}

void Connection::open(int epoll_fd) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(options_.port);
  if (inet_pton(AF_INET, options_.host.c_str(), &address.sin_addr) != 1) {
    fail("'" + options_.host + "' is not a numeric IPv4 address");
  }
  epoll_fd_ = epoll_fd;
  socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket_ < 0 ||
      ::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    fail("cannot connect to " + options_.host + ": " + std::strerror(errno));
  }
  const int on = 1;
  setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = this;
  if (epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, socket_, &event) != 0) fail("epoll_ctl failed");
}

void Connection::send(std::string_view head, std::string_view tail, std::int64_t since) {
  output_ += head;
  output_ += tail;
  if (options_.ids) {
    const std::size_t index = free_slots_.back();
    free_slots_.pop_back();
    Slot& slot = slots_[index];
    slot.since = since;
    slot.used = true;
    output_ += ",\"id\":" + std::to_string(slot.turn * options_.window + index);
  } else {
    in_order_.push_back(since);
  }
  output_ += "}\n";
  ++outstanding_;
  measurement_.on_sent();
}

void Connection::flush() {
  while (is_open() && written_ < output_.size()) {
    const ssize_t done = ::send(socket_, output_.data() + written_, output_.size() - written_,
                                MSG_NOSIGNAL | MSG_DONTWAIT);
    if (done >= 0) {
      written_ += static_cast<std::size_t>(done);
    } else if (errno == EAGAIN) {
      watch_writable(true);
      return;
    } else if (errno != EINTR) {
      lose();
    }
  }
  output_.clear();
  written_ = 0;
  if (is_open()) watch_writable(false);
}

void Connection::read_replies(std::int64_t now) {
  std::array<char, 65536> buffer;
  const ssize_t got = ::recv(socket_, buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) lose();
  if (got <= 0) return;
  input_.append(buffer.data(), static_cast<std::size_t>(got));
  std::size_t begin = 0;
  for (std::size_t end = 0; (end = input_.find('\n', begin)) != std::string::npos;) {
    take_reply(std::string_view(input_).substr(begin, end - begin), now);
    begin = end + 1;
  }
  input_.erase(0, begin);
}

void Connection::take_reply(std::string_view line, std::int64_t now) {
  std::int64_t since = 0;
  if (!take_since(line, since)) {
    fail("a reply to no request: " + std::string(line.substr(0, 200)));
  }
  --outstanding_;
  if (line.starts_with("{\"code\":1,")) {
    measurement_.on_success(since, now);
  } else {
    measurement_.on_failure(string_member(line, "\"error\":\""));
  }
}

bool Connection::take_since(std::string_view line, std::int64_t& since) {
  if (!options_.ids) {
    if (in_order_.empty()) return false;
    since = in_order_.front();
    in_order_.pop_front();
    return true;
  }
  static constexpr std::string_view kId = "\"id\":";
  const std::size_t at = line.find(kId);
  if (at == std::string_view::npos) return false;
  std::uint64_t id = 0;
  const char* begin = line.data() + at + kId.size();
  if (std::from_chars(begin, line.data() + line.size(), id).ec != std::errc()) return false;
  const std::size_t index = id % options_.window;
  Slot& slot = slots_[index];
  if (!slot.used || slot.turn != id / options_.window) return false;
  since = slot.since;
  slot.used = false;
  ++slot.turn;
  free_slots_.push_back(index);
  return true;
}

void Connection::watch_writable(bool on) {
  if (on == watching_writable_) return;
  watching_writable_ = on;
  epoll_event event{};
  event.events = EPOLLIN;
  if (on) event.events |= EPOLLOUT;
  event.data.ptr = this;
  epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, socket_, &event);
}

void Connection::lose() {
  ::close(socket_);
  socket_ = -1;
  measurement_.on_connection_lost();
}

}  // namespace sluice::bench
