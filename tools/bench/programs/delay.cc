// sluice-bench-delay: makes a broker distant. Passes each byte on a fixed time after it came, in
// both directions, as fast as it comes: a long way, not a narrow one. What one direction may hold
// is bounded; beyond it the sender is not read from.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <list>
#include <string>
#include <string_view>
#include <vector>

#include "stand_in.h"

namespace {

using sluice::bench::loopback;
using sluice::bench::read_number;

constexpr std::size_t kReadBytes = 1 << 16;
constexpr std::size_t kMaxHeldBytes = 8 << 20;  // of one direction: 300 MB/s at 26 ms

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "sluice-bench-delay: %s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

/// What travels one way: bytes with the time at which they arrive.
struct Way {
  struct Piece {
    std::int64_t due;
    std::string bytes;  ///< empty: the sender has closed
  };

  std::deque<Piece> pieces;
  std::size_t held = 0;
  std::size_t sent_of_first = 0;
  bool blocked = false;  ///< the receiver's socket is full
  bool closed = false;   ///< no more bytes come
};

struct Pair;

/// What epoll gives back: one end of a pair.
struct End {
  Pair* pair;
  std::size_t side;
};

/// A publisher's connection and the one to the broker that belongs to it.
struct Pair {
  std::array<int, 2> sockets{-1, -1};
  std::array<Way, 2> ways;  ///< ways[i]: read from sockets[i], written to the other one
  std::array<std::uint32_t, 2> watched{0, 0};
  std::array<End, 2> ends{End{this, 0}, End{this, 1}};
  bool over = false;
};

class Delay {
 public:
  Delay(unsigned port, unsigned broker_port, std::int64_t delay_ns);
  void run();

 private:
  void accept();
  void read(Pair& pair, std::size_t side);
  void write_due(Pair& pair, std::size_t side, std::int64_t now);
  void watch(Pair& pair) const;
  void settle();
  void arm(std::int64_t due);

  int epoll_fd_ = epoll_create1(EPOLL_CLOEXEC);
  int listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int timer_ = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  int signals_ = -1;
  unsigned broker_port_;
  std::int64_t delay_ns_;
  std::list<Pair> pairs_;
  std::array<char, kReadBytes> buffer_{};
};

Delay::Delay(unsigned port, unsigned broker_port, std::int64_t delay_ns)
    : broker_port_(broker_port), delay_ns_(delay_ns) {
  signals_ = sluice::bench::open_end_signals();
  if (!sluice::bench::listen_on(listener_, port)) fail("cannot listen");
  for (int* fd : {&listener_, &timer_, &signals_}) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = fd;
    if (epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, *fd, &event) != 0) fail("epoll_ctl");
  }
}

void Delay::run() {
  std::array<epoll_event, 256> events;
  while (true) {
    const int count = epoll_wait(epoll_fd_, events.data(), static_cast<int>(events.size()), -1);
    if (count < 0 && errno != EINTR) fail("epoll_wait");
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      if (event.data.ptr == &signals_) return;
      if (event.data.ptr == &listener_) {
        accept();
      } else if (event.data.ptr == &timer_) {
        std::uint64_t times = 0;
        if (::read(timer_, &times, sizeof times) < 0 && errno != EAGAIN) fail("timerfd");
      } else {
        const End& end = *static_cast<End*>(event.data.ptr);
        Pair& pair = *end.pair;
        if ((event.events & EPOLLOUT) != 0) pair.ways[1 - end.side].blocked = false;
        if ((event.events & (EPOLLERR | EPOLLHUP)) != 0) pair.over = true;
        if ((event.events & EPOLLIN) != 0) read(pair, end.side);
      }
    }
    settle();
  }
}

void Delay::accept() {
  const int from = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  if (from < 0) return;
  const int to = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(broker_port_);
  if (::connect(to, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    ::close(from);
    ::close(to);
    return;
  }
  const int on = 1;
  for (const int socket : {from, to}) {
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  Pair& pair = pairs_.emplace_back();
  pair.sockets = {from, to};
  for (std::size_t side = 0; side < 2; ++side) {
    epoll_event event{};
    event.data.ptr = &pair.ends[side];
    if (epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, pair.sockets[side], &event) != 0) fail("epoll_ctl");
  }
  watch(pair);
}

void Delay::read(Pair& pair, std::size_t side) {
  Way& way = pair.ways[side];
  if (way.closed) return;
  const ssize_t got = ::recv(pair.sockets[side], buffer_.data(), buffer_.size(), MSG_DONTWAIT);
  if (got < 0) {
    if (errno != EAGAIN && errno != EINTR) pair.over = true;
    return;
  }
  way.closed = got == 0;
  way.held += static_cast<std::size_t>(got);
  way.pieces.push_back({now_ns() + delay_ns_, {buffer_.data(), static_cast<std::size_t>(got)}});
}

void Delay::write_due(Pair& pair, std::size_t side, std::int64_t now) {
  Way& way = pair.ways[side];
  const int to = pair.sockets[1 - side];
  while (!way.blocked && !way.pieces.empty() && way.pieces.front().due <= now) {
    const std::string_view left =
        std::string_view(way.pieces.front().bytes).substr(way.sent_of_first);
    if (left.empty()) {
      ::shutdown(to, SHUT_WR);
    } else {
      const ssize_t done = ::send(to, left.data(), left.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (done < 0) {
        way.blocked = errno == EAGAIN;
        pair.over = pair.over || (errno != EAGAIN && errno != EINTR);
        return;
      }
      way.held -= static_cast<std::size_t>(done);
      way.sent_of_first += static_cast<std::size_t>(done);
      if (static_cast<std::size_t>(done) < left.size()) continue;
    }
    way.sent_of_first = 0;
    way.pieces.pop_front();
  }
}

void Delay::watch(Pair& pair) const {
  for (std::size_t side = 0; side < 2; ++side) {
    std::uint32_t events = 0;
    if (!pair.ways[side].closed && pair.ways[side].held < kMaxHeldBytes) events |= EPOLLIN;
    if (pair.ways[1 - side].blocked) events |= EPOLLOUT;
    if (events == pair.watched[side]) continue;
    pair.watched[side] = events;
    epoll_event event{};
    event.events = events;
    event.data.ptr = &pair.ends[side];
    if (epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, pair.sockets[side], &event) != 0) fail("epoll_ctl");
  }
}

void Delay::settle() {
  const std::int64_t now = now_ns();
  std::int64_t next = 0;
  for (auto pair = pairs_.begin(); pair != pairs_.end();) {
    bool is_done = true;
    for (std::size_t side = 0; side < 2; ++side) {
      const Way& way = pair->ways[side];
      if (!pair->over) write_due(*pair, side, now);
      is_done = is_done && way.closed && way.pieces.empty();
      if (!way.pieces.empty() && !way.blocked && (next == 0 || way.pieces.front().due < next)) {
        next = way.pieces.front().due;
      }
    }
    if (!pair->over && !is_done) {
      watch(*pair);
      ++pair;
      continue;
    }
    for (const int socket : pair->sockets)
      ::close(socket);
    pair = pairs_.erase(pair);
  }
  arm(next);
}

void Delay::arm(std::int64_t due) {
  itimerspec when{};
  when.it_value.tv_sec = due / 1'000'000'000;
  when.it_value.tv_nsec = due % 1'000'000'000;
  timerfd_settime(timer_, TFD_TIMER_ABSTIME, &when, nullptr);
}

}  // namespace

int main(int argc, char** argv) {
  unsigned port = 0;
  unsigned broker_port = 0;
  unsigned delay_ms = 26;
  bool is_good = argc % 2 == 1;
  for (int i = 1; i + 1 < argc && is_good; i += 2) {
    const std::string_view name = argv[i];
    is_good = (name == "--port" && read_number(argv[i + 1], 65535, port)) ||
              (name == "--to" && read_number(argv[i + 1], 65535, broker_port)) ||
              (name == "--delay-ms" && read_number(argv[i + 1], 10000, delay_ms));
  }
  if (!is_good || port == 0 || broker_port == 0) {
    std::fprintf(stderr,
                 "usage: %s --port PORT --to PORT [--delay-ms MS]\n"
                 "Passes connections on, on 127.0.0.1, with so much delay each way (26).\n",
                 argv[0]);
    return 2;
  }
  Delay delay(port, broker_port, std::int64_t{delay_ms} * 1'000'000);
  delay.run();
  return 0;
}
